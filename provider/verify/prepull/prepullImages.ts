import type { OperationContext } from "../../model/context";
import { parseReference } from "../../model/reference";
import type { PullFailure } from "../../node";
import { pullFailure } from "../../node";
import type { ImageService } from "../evidence";
import type { PrepulledImages } from "./prepulledImages";
import { mostFailures } from "./prepulledImages";

/** An image that is to lie on the node. */
export interface WantedImage {
  /** Public name: `gcr.io/a/b:1`. */
  image: string;
  /** What was pushed under it, where it was pushed: an image that is there with this digest is not asked for. */
  digest?: string;
}

/**
 * Pulls images as a pod would, by their public names, some at a time. One that cannot be pulled stops no other. What came
 * stays whatever happens later, so that a second time goes on where the first ended.
 */
export async function prepullImages(
  service: Pick<ImageService, "pullImage" | "imageStatus">,
  wanted: readonly WantedImage[],
  maxParallel: number,
  context: OperationContext,
): Promise<PrepulledImages> {
  const hosts: PrepulledImages["hosts"] = {};
  const failures = new Map<string, PullFailure>();
  const queue = [...wanted];
  let begun = 0;
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { image, digest } = next;
      context.log.progress(`pulling image ${++begun} of ${wanted.length}: ${image}`);
      try {
        const came = await pull(service, image, digest);
        const host = (hosts[parseReference(image).host] ??= {});
        host[came] = (host[came] ?? 0) + 1;
      } catch (error) {
        failures.set(image, pullFailure(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxParallel, wanted.length) }, worker));
  const failed = wanted.flatMap(({ image }) => {
    const failure = failures.get(image);
    return failure === undefined ? [] : [{ image, ...failure }];
  });
  const unnamed = failed.length - mostFailures;
  return {
    hosts: Object.fromEntries(Object.entries(hosts).sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(failed.length > 0 ? { failed: failed.slice(0, mostFailures) } : {}),
    ...(unnamed > 0 ? { unnamed } : {}),
  };
}

async function pull(
  service: Pick<ImageService, "pullImage" | "imageStatus">,
  image: string,
  digest: string | undefined,
): Promise<"pulled" | "present"> {
  const has = async (): Promise<boolean> =>
    ((await service.imageStatus(image))?.repoDigests ?? []).some((name) => name.endsWith(`@${digest}`));
  if (digest !== undefined && (await has())) {
    return "present";
  }
  await service.pullImage(image);
  if (digest !== undefined && !(await has())) {
    throw new Error(`another image came under this name than was pushed, ${digest}`);
  }
  return "pulled";
}
