import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import ts from "typescript";

import { rooms } from "../../provider/model/codes";
import type { CodeText } from "../../provider/model/codes/codeText";
import { errorsFile, errorsPage } from "../run/errorsPage";

const root = join(__dirname, "../..");
const codes: Record<string, CodeText> = Object.assign({}, ...(Object.values(rooms) as object[])) as never;

describe("codes of errors", () => {
  it("docs/errors.md is what `npm run docs` makes of the list", () => {
    assert.equal(readFileSync(errorsFile, "utf8"), errorsPage(), "docs/errors.md is not up to date: npm run docs");
  });

  it("a code stands in one room, and has a cause and a way out of one line each", () => {
    const all = Object.values(rooms).flatMap((room) => Object.keys(room));
    assert.deepEqual([...all].sort(), Object.keys(codes).sort());
    for (const [code, { cause, wayOut }] of Object.entries(codes)) {
      assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
      for (const text of [cause, wayOut]) {
        assert.match(text, /^\S[^\n|]*\.$/, `${code}: ${text}`);
      }
    }
  });

  it("every code is thrown: one that stands nowhere but in the list is none", () => {
    const thrown = new Set(
      sources(["provider", "sdk"])
        .filter((file) => !/model.codes./.test(file))
        .flatMap(made),
    );
    assert.deepEqual(
      Object.keys(codes).filter((code) => !thrown.has(code)),
      [],
    );
  });

  it("every code is named by a test", () => {
    const text = sources(["tests"])
      .filter((file) => file !== __filename)
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
    assert.deepEqual(
      Object.keys(codes).filter((code) => !new RegExp(`(?<![A-Z_])${code}(?![A-Z_])`).test(text)),
      [],
    );
  });
});

function sources(folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
      .map((name) => join(root, folder, name)),
  );
}

/**
 * Codes that a source makes: string literals, also in a choice or an answer of a function, and those that the shell
 * program on the node reports with `fail`. What only compares or matches a code does not make it.
 */
function made(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && !isCompared(node)) {
      found.push(node.text);
    }
    if (ts.isStringLiteral(node) || ts.isTemplateLiteralToken(node)) {
      found.push(...[...node.text.matchAll(/\bfail (NODE_[A-Z_]+)/g)].map((match) => match[1] as string));
    }
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function isCompared(node: ts.StringLiteral): boolean {
  const { parent } = node;
  return (
    ts.isLiteralTypeNode(parent) ||
    ts.isCaseClause(parent) ||
    ts.isArrayLiteralExpression(parent) ||
    (ts.isBinaryExpression(parent) && parent.operatorToken.kind !== ts.SyntaxKind.QuestionQuestionToken) ||
    (ts.isCallExpression(parent) && ts.isIdentifier(parent.expression) && parent.expression.text === "isNodeError")
  );
}
