import { MirrorError } from "../model/errors";

/**
 * What can be wrong with a node's containerd configuration, or with what is asked of it.
 *
 * Codes: `CONTAINERD_VERSION` (not to be read, or too old), `CONTAINERD_TOML` (a file does not parse; line and column
 * in the message), `CONTAINERD_CONFIG_VERSION` (a version 1 file), `CONTAINERD_CRI_DISABLED`, `CONTAINERD_STYLE` (the
 * style asked for is not possible here), `CONTAINERD_EDIT` (a file cannot be edited without touching more than the
 * registry part), `CONTAINERD_PLAN` (the planned result would not do what is wanted), `CONTAINERD_CONFLICT` and
 * `CONTAINERD_DESIRED` (the declaration contradicts itself), `CONTAINERD_CREDENTIAL` (a placeholder without a
 * credential).
 */
export class ContainerdError extends MirrorError {}
