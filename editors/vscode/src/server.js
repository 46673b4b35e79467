"use strict";

/** How the language server is started, with the settings of the section `prunec`. */
function server(settings) {
  return { command: settings.get("python") || "python", args: ["-m", "prunec.language_server"] };
}

module.exports = { server };
