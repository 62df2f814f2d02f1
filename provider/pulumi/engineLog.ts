import * as pulumi from "@pulumi/pulumi";

import type { OperationLog } from "../model/context";
import { redact } from "../model/redact";

/** Pulumi redraws a resource's line at most this often to any use. */
const progressInterval = 500;

/**
 * A log that attaches to the resource's own line (pulumi/pulumi#6065: stdout and pulumi.log alone attach to the stack).
 *
 * The dynamic-provider process knows the engine's address only as its own argument and never tells the SDK; setting it
 * for the SDK is the one way to the engine's Log call. That is an internal of Pulumi's, so anything that goes wrong
 * here is silence, not failure.
 */
export function engineLog(urn: string | undefined, secrets: readonly string[]): OperationLog {
  let lastProgress = 0;
  const send = (level: "debug" | "info" | "warn", text: string, ephemeral: boolean): void => {
    if (!engineKnown()) {
      return;
    }
    const resource = urn === undefined ? undefined : ({ urn: pulumi.output(urn) } as pulumi.Resource);
    Promise.resolve(pulumi.log[level](redact(text, secrets), resource, 0, ephemeral)).catch(() => undefined);
  };
  return {
    progress(text) {
      const now = Date.now();
      if (now - lastProgress >= progressInterval) {
        lastProgress = now;
        send("info", text, true);
      }
    },
    info: (text) => send("info", text, false),
    warn: (text) => send("warn", text, false),
    debug: (text) => send("debug", text, false),
  };
}

function engineKnown(): boolean {
  if (process.env["PULUMI_NODEJS_ENGINE"] === undefined) {
    const address = process.argv[2];
    if (address === undefined || !/^[^/\s]+:\d+$/.test(address)) {
      return false;
    }
    process.env["PULUMI_NODEJS_ENGINE"] = address;
  }
  return true;
}
