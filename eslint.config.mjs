import eslint from "@eslint/js";
import simpleImportSort from "eslint-plugin-simple-import-sort";
import tseslint from "typescript-eslint";

const asks = "/^(includes|startsWith|endsWith|match|matchAll|search|indexOf)$/";
const matches = "/^(test|exec)$/";
/** Names that hold what a person is told, or what a program has said. */
const words = "/^(message|detail|reason|problem|note|finding|sentence|said|stderr|stdout|error)$/";
/** Functions that give such a text. */
const telling = "/^(messageOf|findingText|quoteRemote)$/";
/** Three words in a row are a sentence's. */
const sentence = "/[a-z] [a-z]+ [a-z]/i";

const wordsSelectors = [
  // error.message.includes(..), said.startsWith(..), messageOf(error).match(..)
  `CallExpression[callee.property.name=${asks}][callee.object.property.name=${words}]`,
  `CallExpression[callee.property.name=${asks}][callee.object.name=${words}]`,
  `CallExpression[callee.property.name=${asks}][callee.object.callee.name=${telling}]`,
  // pattern.test(error.message), pattern.exec(stderr), pattern.test(findingText(note))
  `CallExpression[callee.property.name=${matches}][arguments.0.property.name=${words}]`,
  `CallExpression[callee.property.name=${matches}][arguments.0.name=${words}]`,
  `CallExpression[callee.property.name=${matches}][arguments.0.callee.name=${telling}]`,
  // note.text.includes(..), pattern.test(finding.text)
  `CallExpression[callee.property.name=${asks}][callee.object.property.name='text'][callee.object.object.name=${words}]`,
  `CallExpression[callee.property.name=${matches}][arguments.0.property.name='text'][arguments.0.object.name=${words}]`,
  // anything.includes("is not ours"), /is not ours/.test(anything), anything === "it is not ours"
  `CallExpression[callee.property.name=${asks}] > Literal[value=${sentence}]`,
  `CallExpression[callee.property.name=${asks}] > Literal[regex.pattern=${sentence}]`,
  `CallExpression[callee.property.name=${matches}] > MemberExpression > Literal[regex.pattern=${sentence}]`,
  `BinaryExpression[operator=/^[!=]==?$/] > Literal[value=${sentence}]`,
];

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "**/node_modules/", "docs/", "build/"] },
  eslint.configs.recommended,
  {
    plugins: { "simple-import-sort": simpleImportSort },
    rules: { "simple-import-sort/imports": "error", "simple-import-sort/exports": "error" },
  },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      // What was caught, and a signal's reason, are passed on as they are.
      "@typescript-eslint/prefer-promise-reject-errors": [
        "error",
        { allowThrowingUnknown: true, allowThrowingAny: true },
      ],
      // Of the strict and stylistic sets, what finds mistakes or shortens the code. Left out: no-unnecessary-condition,
      // for values of a JavaScript program or of an older state are not always what their types say.
      "@typescript-eslint/no-deprecated": "error",
      "@typescript-eslint/no-meaningless-void-operator": "error",
      "@typescript-eslint/no-unnecessary-boolean-literal-compare": "error",
      "@typescript-eslint/no-unnecessary-template-expression": "error",
      "@typescript-eslint/no-unnecessary-type-conversion": "error",
      "@typescript-eslint/prefer-includes": "error",
      "@typescript-eslint/prefer-optional-chain": "error",
      "@typescript-eslint/prefer-string-starts-ends-with": "error",
      "@typescript-eslint/return-await": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/use-unknown-in-catch-callback-variable": "error",
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true, argsIgnorePattern: "^_" }],
      "no-control-regex": "off",
    },
  },
  {
    // Decisions are made by a code or a finding's kind, never by the words of a message.
    files: ["provider/**/*.ts", "sdk/**/*.ts"],
    ignores: [
      // What other programs say, each program in one table: pattern -> cause, with its source and a test for each row.
      "provider/archive/decode/xzText.ts",
      "provider/node/{loginText,sudoText}.ts",
      "provider/node/ssh/sshClientText.ts",
      "provider/registry/auth/credentialHelperText.ts",
      "provider/registry/http/{tlsServerText,undiciText}.ts",
      "provider/node/cri/pullFailure.ts",
      // Where in a text JSON.parse stopped; V8 tells it in words alone.
      "provider/resources/mirror/credentials.ts",
      // Not a decision: a reason that the message says already is not shown twice.
      "sdk/problems.ts",
    ],
    rules: {
      "no-restricted-syntax": [
        "error",
        ...wordsSelectors.map((selector) => ({
          selector,
          message:
            "Decide by an error's code or a finding's kind (provider/model/finding.ts), not by its words; what another " +
            "program says is read in that program's own table (as provider/node/sudoText.ts).",
        })),
      ],
    },
  },
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        URL: "readonly",
        setTimeout: "readonly",
        clearTimeout: "readonly",
        Buffer: "readonly",
        require: "readonly",
        exports: "writable",
        module: "writable",
      },
    },
  },
  {
    // Runs in a browser.
    files: ["provider/verify/page/page.js", "tests/lab/page/inPage.js"],
    languageOptions: {
      sourceType: "script",
      globals: { document: "readonly", getComputedStyle: "readonly", NodeFilter: "readonly" },
    },
  },
);
