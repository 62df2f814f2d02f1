import eslint from "@eslint/js";
import simpleImportSort from "eslint-plugin-simple-import-sort";
import tseslint from "typescript-eslint";

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
      // A registry's own answer, where it has no code for it.
      "provider/registry/registry.ts",
      // Where in a text JSON.parse stopped; V8 tells it in words alone.
      "provider/resources/mirror/credentials.ts",
      // Not a decision: a reason that the message says already is not shown twice.
      "sdk/problems.ts",
    ],
    rules: {
      "no-restricted-syntax": [
        "error",
        ...[
          "CallExpression[callee.property.name=/^(includes|startsWith|endsWith|match|matchAll|search|indexOf)$/][callee.object.property.name='message']",
          "CallExpression[callee.property.name=/^(includes|startsWith|endsWith|match|matchAll|search|indexOf|replace)$/][callee.object.callee.name='messageOf']",
          "CallExpression[callee.property.name=/^(test|exec)$/][arguments.0.property.name='message']",
          "CallExpression[callee.property.name=/^(test|exec)$/][arguments.0.callee.name='messageOf']",
        ].map((selector) => ({
          selector,
          message: "Decide by an error's code or a finding's kind (provider/model/finding.ts), not by its words.",
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
);
