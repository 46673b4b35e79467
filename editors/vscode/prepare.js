"use strict";

// What the extension shares with the repository is copied beside it, since a package holds its own folder only.
const { copyFileSync, mkdirSync } = require("fs");
const { join } = require("path");

mkdirSync(join(__dirname, "syntaxes"), { recursive: true });
copyFileSync(join(__dirname, "..", "prune.tmLanguage.json"), join(__dirname, "syntaxes", "prune.tmLanguage.json"));
copyFileSync(join(__dirname, "..", "..", "LICENSE"), join(__dirname, "LICENSE"));
