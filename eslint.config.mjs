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
    extends: [...tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
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
