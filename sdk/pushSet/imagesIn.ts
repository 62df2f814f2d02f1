import * as pulumi from "@pulumi/pulumi";

import type { ManifestImage } from "../../provider/manifests/imageNames";
import type { DeclaredImagePaths } from "../../provider/resources/pushSet/manifestSources";
import { findImages } from "../../provider/resources/pushSet/manifestSources";
import { whenKnown } from "../known";
import { plainErrorsOf } from "../problems";

/** Manifests as a text: what `helm template` or `kubectl kustomize` prints. */
export interface ManifestText {
  /** YAML of any number of documents, or JSON. */
  text: pulumi.Input<string>;
  /** What errors call it. Default: its place among the sources. */
  name?: string;
}

/**
 * Where manifests are: the path of a file, or of a folder whose .yaml, .yml and .json files are all read; a text; or a
 * Kubernetes object with `apiVersion` and `kind`, plain, with outputs in it, or a resource of a Pulumi program.
 */
export type ManifestSourceArgs = pulumi.Input<string> | ManifestText | object;

/** How manifests are read. */
export interface ImagesInOptions {
  /**
   * Where custom resources name images, by `Kind.group`, or `Kind` of any group:
   * `{ "Prometheus.monitoring.coreos.com": ["spec.image", "spec.containers[].image?"] }`. A path is made of names and dots,
   * `[]` for every entry of a list, `.*` for every field of a mapping, and `["any name"]`; `?` at its end says that it may
   * find nothing. Default: none; Pods and what makes Pods are known.
   */
  paths?: DeclaredImagePaths;
}

/**
 * The images that Kubernetes manifests name, for a push set: `source: { images: imagesIn("./manifests") }`. Of Pods,
 * Deployments, StatefulSets, DaemonSets, ReplicaSets, ReplicationControllers, Jobs, CronJobs, PodTemplates and Lists of
 * these: containers, init and ephemeral containers, image volumes. Each once, sorted, with host and tag or digest. Nothing
 * else is read, and custom resources where `paths` says so (docs/copying.md).
 *
 * It is no secret, even where a manifest holds one; and not known in a preview while a text or an object is not.
 *
 * @throws ManifestError which ends the program: with file, line and way out of everything that is wrong, of templates that
 *   are not rendered, too
 */
export function imagesIn(
  sources: ManifestSourceArgs | ManifestSourceArgs[],
  options: ImagesInOptions = {},
): pulumi.Output<string[]> {
  return imagePlacesIn(sources, options).apply((found) => found.map(({ image }) => image));
}

/** The same, each image with every place that names it: file, document, line, kind, name and field. */
export function imagePlacesIn(
  sources: ManifestSourceArgs | ManifestSourceArgs[],
  options: ImagesInOptions = {},
): pulumi.Output<ManifestImage[]> {
  return pulumi.unsecret(lift(sources).apply((given) => plainErrorsOf(() => findImages(given, options))));
}

/** A resource is no value for Pulumi, its fields are; a chart's are its resources. */
function lift(given: unknown): pulumi.Output<unknown> {
  if (pulumi.Resource.isInstance(given)) {
    return liftResource(given as unknown as Record<string, unknown>);
  }
  if (Array.isArray(given)) {
    return pulumi.all((given as unknown[]).map(lift));
  }
  const output: pulumi.Output<unknown> = pulumi.output(given as object);
  return output.apply((known): unknown => (holdsResources(known) ? lift(known) : known));
}

function liftResource(resource: Record<string, unknown>): pulumi.Output<unknown> {
  const { kind, apiVersion, metadata, status: _status, resources, ...others } = resource;
  if (kind === undefined && resources !== undefined) {
    return pulumi.output(resources).apply((all) => {
      return lift(Array.isArray(all) ? all : Object.values(all as Record<string, unknown>));
    });
  }
  const fields = Object.entries(others).filter(([name, value]) => {
    return !name.startsWith("__") && name !== "id" && name !== "urn" && !pulumi.Resource.isInstance(value);
  });
  // Of the metadata the name alone is used, and that in messages: a uid that is not known yet must not hide the images.
  const known = whenKnown(metadata).then((found) => found?.value);
  return pulumi.output({ kind, apiVersion, metadata: known, ...Object.fromEntries(fields) });
}

function holdsResources(known: unknown): boolean {
  return pulumi.Resource.isInstance(known) || (Array.isArray(known) && known.some(holdsResources));
}
