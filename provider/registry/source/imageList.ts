import type { Digest } from "../../model/digest";
import type { RegistryConnection } from "../connection";

/** Images that lie in other registries, by name. */
export interface ImageList {
  /** Public names; `nginx` is `docker.io/library/nginx:latest`, as containerd and Docker read it. */
  images: string[];
  /** Platforms to copy of an index, `linux/amd64` or `linux/arm64/v8`; "all" (default) copies it whole. */
  platforms?: string[] | "all";
  /** Names keep the digests that they had at the last push. */
  pin?: boolean;
  /**
   * The names are those of images that nodes hold, with their digests. An image that the mirror has by that digest is
   * read there, so that its own registry need not be reached; and there may be none at all.
   */
  held?: true;
  /** By the host of the names: how to reach it, where that is not just its name and nobody's credentials. */
  registries?: Record<string, SourceConnection>;
}

/** How to read from a registry; `endpoint` where it is reached by another address than the names say. */
export interface SourceConnection extends Omit<RegistryConnection, "endpoint"> {
  endpoint?: string;
}

/** An image of a list, and what its name pointed at when it was looked up. */
export interface ResolvedImage {
  /** With host, and with a tag or, where the name has none, a digest. */
  source: string;
  digest: Digest;
}
