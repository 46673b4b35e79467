
(function () {
  "use strict";
  var root = document.documentElement;
  function all(selector, within) { return Array.from((within || document).querySelectorAll(selector)); }
  function byId(id) { return document.getElementById(id); }

  // --- sorting ---
  function key(row, column) {
    var cell = row.cells[column];
    if (cell.dataset.v !== undefined) { return Number(cell.dataset.v); }
    var text = cell.textContent.trim();
    return text !== "" && !isNaN(text) ? Number(text) : text.toLowerCase();
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") { return a - b; }
    // What says nothing goes last in either direction; see sort.
    return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  }
  function sort(header) {
    var table = header.closest("table"), body = table.tBodies[0], column = header.cellIndex;
    var first = header.classList.contains("number") ? "descending" : "ascending";
    var other = first === "ascending" ? "descending" : "ascending";
    var direction = header.getAttribute("aria-sort") === first ? other : first;
    var rows = Array.from(body.rows).map(function (row, place) { return [key(row, column), place, row]; });
    rows.sort(function (a, b) {
      if ((a[0] === "") !== (b[0] === "")) { return a[0] === "" ? 1 : -1; }
      return (direction === "ascending" ? 1 : -1) * compare(a[0], b[0]) || a[1] - b[1];
    });
    all("th[aria-sort]", table).forEach(function (th) { th.setAttribute("aria-sort", "none"); });
    header.setAttribute("aria-sort", direction);
    rows.forEach(function (entry) { body.appendChild(entry[2]); });
  }
  all(".sortable th[aria-sort] button").forEach(function (button) {
    button.addEventListener("click", function () { sort(button.closest("th")); });
  });

  // --- search ---
  var search = byId("search"), found = byId("found");
  var searched = [
    ["layer", all("#layer-table tbody tr")], ["group", all("details.group")],
    ["reason", all(".reasons tbody tr")], ["box", all(".stage .box")], ["hunk", all(".hunk")]
  ];
  var texts = new Map();
  function textOf(element) {
    if (!texts.has(element)) { texts.set(element, element.textContent.toLowerCase()); }
    return texts.get(element);
  }
  function find() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean), counts = [];
    root.classList.toggle("searching", words.length > 0);
    searched.forEach(function (entry) {
      var kind = entry[0], hits = 0;
      entry[1].forEach(function (element) {
        var hit = words.every(function (word) { return textOf(element).includes(word); });
        hits += hit ? 1 : 0;
        if (kind === "box") { element.classList.toggle("hit", words.length > 0 && hit); }
        else { element.hidden = !hit; }
      });
      if (hits && entry[1].length) { counts.push(hits + " " + kind + (hits === 1 ? "" : kind === "box" ? "es" : "s")); }
    });
    all("details.stage").forEach(function (stage) {
      stage.hidden = words.length > 0 && !stage.querySelector(".hit") && !textOf(stage).includes(words[0]);
    });
    found.textContent = words.length ? (counts.join(", ") || "nothing found") : "";
  }
  search.addEventListener("input", find);

  // --- marking a group ---
  var marked = new Map(), pinned = null;
  all("[data-g]").forEach(function (element) {
    element.dataset.g.split(" ").forEach(function (group) {
      if (!marked.has(group)) { marked.set(group, []); }
      marked.get(group).push(element);
    });
  });
  var lit = [];
  function mark(groups) {
    lit.forEach(function (element) { element.classList.remove("lit"); });
    lit = [];
    groups.forEach(function (group) { lit = lit.concat(marked.get(group) || []); });
    lit.forEach(function (element) { element.classList.add("lit"); });
    root.classList.toggle("marking", lit.length > 0);
  }
  function over(event) {
    var element = event.target.closest && event.target.closest(".net [data-g]");
    mark(element ? element.dataset.g.split(" ").slice(0, 1) : pinned === null ? [] : [pinned]);
  }
  all(".net").forEach(function (picture) {
    picture.addEventListener("pointerover", over);
    picture.addEventListener("pointerleave", over);
    picture.addEventListener("focusin", over);
  });
  function pin(group) { pinned = group; mark(group === null ? [] : [group]); }

  // --- opening ---
  function open(element) {
    for (var at = element; at; at = at.parentElement) { if (at.tagName === "DETAILS") { at.open = true; } }
  }
  function follow() {
    var target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
    if (!target) { return; }
    if (target.hidden) { search.value = ""; find(); }
    open(target);
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button"), link = event.target.closest("a");
    if (link && link.getAttribute("href") === location.hash) { setTimeout(follow, 0); }
    if (!button) { return; }
    if (button.dataset.open) { all(button.dataset.open).forEach(function (d) { d.open = true; }); }
    if (button.dataset.close) { all(button.dataset.close).forEach(function (d) { d.open = false; }); }
    if (button.dataset.pin) {
      all("details.stage").forEach(function (stage) {
        stage.open = !!stage.querySelector('[data-g~="' + button.dataset.pin + '"]');
      });
      location.hash = "#network";
      pin(button.dataset.pin);
    }
  });

  // Of a picture that is wider than the window, the middle is where the way through begins.
  function centre(picture) { picture.scrollLeft = (picture.scrollWidth - picture.clientWidth) / 2; }
  all(".net").forEach(function (picture) { centre(picture.parentElement); });
  all("details.stage").forEach(function (stage) {
    stage.addEventListener("toggle", function () { if (stage.open) { all(".scroll", stage).forEach(centre); } });
  });

  // --- sections, theme, keys ---
  var sections = all("main > section"), links = all("nav ul a");
  function current() {
    var at = 0;
    sections.forEach(function (section, place) { if (section.getBoundingClientRect().top < 140) { at = place; } });
    return at;
  }
  function show() {
    var at = current();
    links.forEach(function (link, place) {
      if (place === at) { link.setAttribute("aria-current", "true"); } else { link.removeAttribute("aria-current"); }
    });
  }
  var waiting = false;
  window.addEventListener("scroll", function () {
    if (!waiting) { waiting = true; requestAnimationFrame(function () { waiting = false; show(); }); }
  }, { passive: true });
  function theme() {
    var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  }
  byId("theme").addEventListener("click", theme);
  var help = byId("help");
  byId("keys").addEventListener("click", function () { help.showModal(); });
  function openAll(state) { all("details", sections[current()]).forEach(function (d) { d.open = state; }); }
  function step(by) {
    var next = sections[Math.min(Math.max(current() + by, 0), sections.length - 1)];
    location.hash = "#" + next.id;
    next.scrollIntoView();
  }
  var keys = {
    "/": function () { search.focus(); search.select(); },
    "n": function () { step(1); }, "p": function () { step(-1); },
    "o": function () { openAll(true); }, "c": function () { openAll(false); },
    "t": theme, "?": function () { help.showModal(); }
  };
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") {
      if (!help.open) { search.value = ""; find(); search.blur(); pin(null); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) { return; }
    if (Object.prototype.hasOwnProperty.call(keys, event.key)) { event.preventDefault(); keys[event.key](); }
  });

  // --- print ---
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = all("details.group, details.stage").filter(function (d) { return !d.open; });
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { opened.forEach(function (d) { d.open = false; }); opened = []; });

  show();
  follow();
})();
