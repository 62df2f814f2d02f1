import assert from "node:assert/strict";

import type { OperationContext } from "../../../../provider/model/context";
import { silentLog } from "../../../../provider/model/context";
import { isNodeError, type NodeError } from "../../../../provider/node";

/** A context that remembers what was said. */
export function testContext(): OperationContext & { said: string[]; abort: () => void } {
  const said: string[] = [];
  const abort = new AbortController();
  const say = (text: string) => {
    said.push(text);
  };
  return {
    signal: abort.signal,
    log: { ...silentLog, progress: say, info: say, warn: say },
    said,
    abort: () => abort.abort(),
  };
}

/** The NodeError that the work ends with; its code must be `code`, its text must match. */
export async function failure(work: Promise<unknown>, code: string, ...texts: RegExp[]): Promise<NodeError> {
  try {
    await work;
  } catch (error) {
    if (!isNodeError(error)) {
      throw error;
    }
    assert.equal(error.code, code, error.message);
    for (const text of texts) {
      assert.match(error.message, text);
    }
    return error;
  }
  throw new assert.AssertionError({ message: `expected ${code}, but nothing failed` });
}
