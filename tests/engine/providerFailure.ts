import { status, type ServiceError } from "@grpc/grpc-js";
import { ErrorResourceInitFailed } from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { fromStruct } from "./marshal";
import type { ValueMap } from "./value";

/** A call to the provider that failed. */
export class ProviderFailure extends Error {
  override name = "ProviderFailure";
  constructor(
    message: string,
    /** false: the provider may or may not have changed the world. */
    readonly stateKnown: boolean,
    /** Set when the resource exists nevertheless. */
    readonly partial?: PartialResource,
  ) {
    super(message);
  }
}

/** What exists after a partial failure. */
export interface PartialResource {
  id: string;
  outputs: ValueMap;
  inputs: ValueMap | undefined;
  reasons: string[];
}

/**
 * Reads a failed call. A provider that created the resource but could not finish packs the resource into the
 * `grpc-status-details-bin` trailer (a google.rpc.Status).
 */
export function providerFailure(error: ServiceError, label: string): ProviderFailure {
  const [packed] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (packed !== undefined) {
    for (const detail of Status.deserializeBinary(new Uint8Array(packed as Buffer)).getDetailsList()) {
      const failed = detail.unpack(ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed");
      if (failed === null) continue;
      const reasons = failed.getReasonsList();
      const inputs = failed.getInputs();
      return new ProviderFailure(initMessage(reasons), true, {
        id: failed.getId(),
        outputs: fromStruct(failed.getProperties(), `${label}.outputs`, "refuse"),
        inputs: inputs === undefined ? undefined : fromStruct(inputs, `${label}.inputs`, "refuse"),
        reasons,
      });
    }
  }
  const unclear = [status.INTERNAL, status.DATA_LOSS, status.UNKNOWN].includes(error.code);
  return new ProviderFailure(error.details || error.message, !unclear);
}

function initMessage(reasons: string[]): string {
  const count = reasons.length === 1 ? "1 error occurred" : `${reasons.length} errors occurred`;
  return `${count}:\n${reasons.map((reason) => `\t* ${reason}`).join("\n")}\n\n`;
}
