import type { DesiredHost } from "../../containerd/desired";
import type { OperationContext } from "../../model/context";
import { count } from "../../model/count";
import { shortDigest } from "../../model/digest";
import { MirrorError } from "../../model/errors";
import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import { parseReference } from "../../model/reference";
import type { CriClient } from "../../node";
import { stableText } from "../../pulumi/plainValue";
import type { PushedImage } from "../../registry/push/pushResult";
import type { PrepulledImages } from "../../verify/prepull/prepulledImages";
import { failureLines } from "../../verify/prepull/prepulledImages";
import type { WantedImage } from "../../verify/prepull/prepullImages";
import { prepullImages } from "../../verify/prepull/prepullImages";
import { selectImages } from "../../verify/selection";
import { attempt } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import { prepullShape } from "./shapes";

/** Which images a node is to have before a pod asks for them, as a program declares it. */
export interface GivenPrepull {
  images: "pushed" | string[];
  maxParallel?: number | undefined;
  onFailure?: "error" | "warn" | undefined;
}

/** The same once the push set's images are known. */
export interface NodePrepull {
  images: WantedImage[];
  /** Default 3. */
  maxParallel?: number;
  /** Default "warn". */
  onFailure?: "error";
}

/** As a reviewer reads it and the state keeps it: sixty names would be a thousand times sixty lines. */
export interface ShownPrepull extends Omit<NodePrepull, "images"> {
  /** `60 images, 1a2b3c...`: another image or digest is another text. */
  images: string;
}

export function showPrepull({ images, ...rest }: NodePrepull): ShownPrepull {
  return { images: `${count(images.length, "image")}, ${shortDigest(stableText(images))}`, ...rest };
}

/** What is wrong with the argument, or the images that it means. */
export function statePrepull(
  given: GivenPrepull,
  pushed: readonly PushedImage[] | undefined,
  hosts: readonly DesiredHost[],
): { value: NodePrepull; problems?: undefined } | { value?: undefined; problems: Problem[] } {
  const problems = shapeProblems(given, prepullShape(given), "prepull");
  if (problems.length > 0) {
    return { problems };
  }
  const { images, maxParallel, onFailure } = given;
  if (images === "pushed" && pushed === undefined) {
    return { problems: [invalidArgument('prepull.images: it is "pushed", and no images are given; give images')] };
  }
  const wanted =
    images === "pushed"
      ? selectImages(pushed ?? [], "all", hosts).map(({ source, digest }) => ({ image: source, digest }))
      : images.map((image): WantedImage => {
          const digest = pushed?.find(({ source }) => source === image)?.digest;
          return digest === undefined ? { image } : { image, digest };
        });
  const unreadable = wanted.flatMap(({ image }) => attempt(() => parseReference(image)).problems ?? []);
  return unreadable.length > 0
    ? { problems: unreadable }
    : {
        value: {
          images: wanted,
          ...(maxParallel === undefined ? {} : { maxParallel }),
          ...(onFailure === "error" ? { onFailure } : {}),
        },
      };
}

/** What came of it. */
export interface Prepulling {
  prepulled?: PrepulledImages;
  /** What fails the resource, with the node in its state. */
  error?: MirrorError;
}

/** The images behind the text that stands in the inputs, for the create or update of the same run. */
export class Prepulls {
  private readonly lists = new Map<string, WantedImage[]>();

  remember(prepull: NodePrepull): void {
    this.lists.set(showPrepull(prepull).images, prepull.images);
  }

  /**
   * After the node was configured and verified, which stays whatever comes of this.
   *
   * @returns with `onFailure: "error"`, an image that did not come is an error (`PREPULL_FAILED`)
   */
  async pull(
    { images, maxParallel = 3, onFailure }: ShownPrepull,
    cri: CriClient,
    context: OperationContext,
  ): Promise<Prepulling> {
    const wanted = this.lists.get(images);
    if (wanted === undefined) {
      context.log.warn(`prepull: ${images}: left out, because ignoreChanges keeps verify as it was`);
      return {};
    }
    const prepulled = await prepullImages(cri, wanted, maxParallel, context);
    const { failed, unnamed = 0 } = prepulled;
    if (failed === undefined) {
      return { prepulled };
    }
    const what = `prepull: ${failed.length + unnamed} of ${wanted.length} images could not be pulled`;
    const reasons = failureLines(prepulled);
    if (onFailure === "error") {
      return {
        prepulled,
        error: new MirrorError(
          "PREPULL_FAILED",
          `${what}. The node is configured and verified, and the images that came stay; the next pulumi up pulls the others. ` +
            '(prepull.onFailure: "warn" would go on.)',
          { reasons },
        ),
      };
    }
    context.log.warn(`${what}\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`);
    return { prepulled };
  }
}
