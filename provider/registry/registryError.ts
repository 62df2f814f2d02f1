import type { ErrorCode } from "../model/codes";
import { MirrorError } from "../model/errors";
import type { Problem } from "../model/problem";

/** Causes that lie with the host, whatever is asked of it, and that another try does not change. */
export const causesOfHost = [
  "REGISTRY_UNKNOWN_HOST",
  "REGISTRY_NOT_TLS",
  "REGISTRY_TLS_VERSION",
  "REGISTRY_TLS_REFUSED",
  "REGISTRY_CLIENT_CERTIFICATE",
  "REGISTRY_CERTIFICATE_NAME",
  "REGISTRY_CERTIFICATE_EXPIRED",
  "REGISTRY_CERTIFICATE_UNKNOWN",
] as const satisfies readonly ErrorCode[];

/**
 * What went wrong between us and a registry. `code` is ours and stable (`REGISTRY_UNAUTHORIZED`, `REGISTRY_UNREACHABLE`
 * ...); `registryCode` is the registry's own word where it gave one (`DENIED`, `MANIFEST_BLOB_UNKNOWN` ...:
 * distribution-spec v1.1.1, "Error codes").
 */
export class RegistryError extends MirrorError {
  /** HTTP status, where an answer came. */
  readonly status: number | undefined;
  readonly registryCode: string | undefined;
  /** The message without the single request, where the cause lies with the host: of many requests that end so, it is said once. */
  readonly ofHost: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      cause?: unknown;
      reasons?: string[];
      parts?: readonly Problem[];
      status?: number;
      registryCode?: string;
      ofHost?: string;
    } = {},
  ) {
    super(code, message, options);
    this.status = options.status;
    this.registryCode = options.registryCode;
    this.ofHost = options.ofHost;
  }
}
