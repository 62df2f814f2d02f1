import { MirrorError } from "../model/errors";

/** What can be wrong with a node's containerd configuration, or with what is asked of it. */
export class ContainerdError extends MirrorError {}
