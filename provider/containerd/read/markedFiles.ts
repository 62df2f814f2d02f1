import type { RecognisedFile } from "../containerdPlan";
import type { ObservedNode } from "../observed";
import { managedComment } from "../render/hostsToml";
import { splitManagedBlock, withoutManagedBlock } from "../toml/managedBlock";

/**
 * Files that bear our mark although our record on the node does not name them: it was lost. They are no originals of
 * anybody's. A certificate is ours when it lies beside a hosts.toml of ours.
 */
export function markedFiles(observed: ObservedNode): RecognisedFile[] {
  const marked = (path: string): boolean => observed.files[path]?.text?.startsWith(managedComment) === true;
  return Object.entries(observed.files).flatMap(([path, { text, linkTarget }]): RecognisedFile[] => {
    if (text === undefined || linkTarget !== undefined || Object.hasOwn(observed.owned, path)) {
      return [];
    }
    if (splitManagedBlock(text).block !== "") {
      return [{ path, original: withoutManagedBlock(text) }];
    }
    const certificate = path.endsWith("/ca.crt") && marked(`${path.slice(0, path.lastIndexOf("/"))}/hosts.toml`);
    return marked(path) || certificate ? [{ path }] : [];
  });
}
