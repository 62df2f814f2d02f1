import { sameValue } from "../../pulumi/plainValue";
import { parseRegistryEndpoint } from "../../registry/endpoint";
import { sourcesOf } from "./sources";
import type { PushSetInputs, PushSetOutputs } from "./state";

/** What is compared to decide whether any argument changed. */
export function comparedInputs(inputs: PushSetInputs): unknown {
  const { source, signature, registry, spoolDir, maxDecodedBytes, check } = inputs;
  const other = { registry, spoolDir, maxDecodedBytes, check };
  return { ...inputsForRegistry(inputs), source: sourcesOf(source), signature, ...other };
}

/** What decides whether the registry must be touched. */
function inputsForRegistry(inputs: PushSetInputs): object {
  const { include, exclude, probeRepository, deleteImages, fingerprint, requireSigned } = inputs;
  return { include, exclude, probeRepository, deleteImages, fingerprint, requireSigned };
}

/** True when the registry need not be touched: same content, same filters, nothing missing. */
export function isUpToDate(olds: PushSetOutputs, news: PushSetInputs): boolean {
  return (
    olds.fingerprint !== undefined &&
    (olds.drift ?? []).length === 0 &&
    sameValue(inputsForRegistry(olds), inputsForRegistry(news))
  );
}

/** Host, port and namespace, whatever way the endpoint is written. */
export function placeOf(endpoint: string): string {
  const { scheme, host, port, namespace } = parseRegistryEndpoint(endpoint);
  return `${scheme}://${host}:${port}/${namespace}`;
}

/** Which images are chosen: no list and an empty one are the same. */
export function filters({ include, exclude }: Pick<PushSetInputs, "include" | "exclude">): unknown {
  return { include: include ?? [], exclude: exclude ?? [] };
}
