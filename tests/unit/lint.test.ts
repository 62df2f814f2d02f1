import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { Linter } from "eslint";
import { parser } from "typescript-eslint";

describe("the lint rule against deciding by words", () => {
  let rule: Linter.RuleEntry;

  before(async () => {
    const { default: config } = (await import(pathToFileURL(join(__dirname, "../../eslint.config.mjs")).href)) as {
      default: Linter.Config[];
    };
    const found = config.flatMap(({ rules }) => rules?.["no-restricted-syntax"] ?? []);
    assert.ok(found.length > 1, "eslint.config.mjs has the rule");
    rule = found as Linter.RuleEntry;
  });

  const findings = (code: string): string[] =>
    new Linter({ configType: "flat" })
      .verify(
        code,
        { files: ["**/*.ts"], languageOptions: { parser }, rules: { "no-restricted-syntax": rule } },
        "a.ts",
      )
      .map(({ ruleId, message }) => ruleId ?? message);

  for (const code of [
    'error.message.includes("x")',
    "/x/.test(error.message)",
    "messageOf(error).match(/x/)",
    "/x/.exec(messageOf(error))",
    'said.startsWith("x")',
    "/x/.test(stderr)",
    'reasons.some((reason) => reason.endsWith("x"))',
    'note.text.includes("x")',
    "/x/.test(findingText(finding))",
    'failure.error.includes("x")',
    'anything.startsWith("is not ours")',
    "/is not ours/.test(anything)",
    "anything.match(/is not ours/)",
    'if (anything === "it is not ours") {}',
  ]) {
    it(`finds ${code}`, () => assert.deepEqual(findings(code), ["no-restricted-syntax"]));
  }

  for (const code of [
    'finding.kind === "file"',
    'codes.includes("NODE_OWNED")',
    'file.text.startsWith("# managed")',
    'line.startsWith("data ")',
    'text.includes("-----BEGIN CERTIFICATE-----")',
    "/^[a-z]+$/.test(name)",
  ]) {
    it(`takes ${code}`, () => assert.deepEqual(findings(code), []));
  }
});
