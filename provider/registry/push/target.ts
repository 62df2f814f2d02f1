import type { Digest } from "../../model/digest";
import { parseReference } from "../../model/reference";
import type { RegistryEndpoint } from "../endpoint";
import { imageNameBase, repositoryBelow } from "../endpoint";

/** Where a public image lies in the mirror. */
export interface ImageTarget {
  /** Full repository of the registry's API, namespace included. */
  repository: string;
  /** Tag or digest that the manifest is put under. */
  reference: string;
  tag?: string;
  digest?: Digest;
  /** `HOST:PORT/[NAMESPACE/]a/b:1`. */
  name: string;
}

/**
 * P8: the mirror has the public registry's file structure. The public host is dropped, path and tag stay:
 * `gcr.io/a/b:1` -> `MIRROR/a/b:1`; `nginx` -> `MIRROR/library/nginx:latest`, because that is the path a node asks for.
 *
 * @throws MirrorError `REFERENCE_INVALID`
 */
export function targetOf(endpoint: RegistryEndpoint, source: string): ImageTarget {
  const { repository, tag, digest } = parseReference(source);
  const base = imageNameBase(endpoint);
  return {
    repository: repositoryBelow(endpoint, repository),
    reference: (tag ?? digest) as string,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
    name: tag === undefined ? `${base}/${repository}@${digest as string}` : `${base}/${repository}:${tag}`,
  };
}
