import { writeFileSync } from "node:fs";

import Mocha from "mocha";

/** What a suite's run came to; written where REGISTRY_MIRROR_TEST_RESULT says, for the summary over all suites. */
export interface SuiteResult {
  passed: number;
  failed: number;
  skipped: string[];
  /** Title and message of each that failed. */
  failures: string[];
}

/** The usual listing, and the counts in a file. */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const result: SuiteResult = { passed: 0, failed: 0, skipped: [], failures: [] };
    runner.on("pass", () => result.passed++);
    runner.on("fail", (test: Mocha.Runnable, error: Error) => {
      result.failed++;
      result.failures.push(`${test.fullTitle()}\n${error.stack ?? error.message}`);
    });
    runner.on("pending", (test: Mocha.Test) => result.skipped.push(test.fullTitle()));
    runner.once("end", () => {
      const file = process.env["REGISTRY_MIRROR_TEST_RESULT"];
      if (file !== undefined) {
        writeFileSync(file, JSON.stringify(result));
      }
    });
  }
}
