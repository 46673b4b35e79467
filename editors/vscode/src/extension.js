"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");
const { server } = require("./server");

let client;

async function start() {
  const { command, args } = server(vscode.workspace.getConfiguration("prunec"));
  client = new LanguageClient(
    "prunec",
    "prunec",
    { command, args },
    { documentSelector: [{ language: "prune" }] },
  );
  try {
    await client.start();
  } catch (error) {
    const help = "install it with: pip install 'prunec[lsp]', or set prunec.python to the Python that has it";
    vscode.window.showErrorMessage(`The language server does not start in ${command}: ${help}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  // One that did not start cannot be stopped.
  await running?.stop().catch(() => undefined);
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("prunec.restart", async () => {
      await stop();
      await start();
    }),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("prunec.python")) {
        await stop();
        await start();
      }
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
