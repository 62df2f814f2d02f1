import * as pulumi from "@pulumi/pulumi";

import { isLater } from "../../provider/model/outputs";
import type { CheckedArguments } from "../../provider/resources/arguments/resolved";
import { isSecretProxy, resolveCa } from "../../provider/resources/pushSet/registry";
import type { ImageSource } from "../../provider/resources/pushSet/sources";
import { gathered } from "../problems";
import { ImagesOnNodes } from "./imagesOn";
import type { RegistryArgs } from "./registryArgs";

/**
 * How to read from a public registry: as of the private one, and `endpoint` only where it is reached by another address
 * than image names say.
 */
export interface SourceRegistryArgs extends Omit<RegistryArgs, "endpoint"> {
  /** `HOST:PORT`, or `HOST:PORT/NAMESPACE` of a cache that has it below a path. Default: the host of the names. */
  endpoint?: pulumi.Input<string>;
}

/** Images by name, copied from their registries. */
export interface ImageListArgs {
  /**
   * Public names: `registry.k8s.io/pause:3.10`, `nginx` (which is `docker.io/library/nginx:latest`), or with a digest. What
   * they point at is looked up while the program runs, by one HEAD each, which Docker Hub does not count; a preview shows
   * which tag points at something else now, and `up` copies what was looked up.
   */
  images: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Which platforms of an index to copy: `["linux/amd64"]`, `["linux/arm64/v8"]`. Default "all": indexes stay whole, and
   * keep their digests. A part of one is a new index with a digest of its own (`preserved: false`).
   */
  platforms?: pulumi.Input<pulumi.Input<string>[]> | "all";
  /**
   * Keep the digests that the names had at the last push, until a name or this changes: a tag that was moved is told in the
   * preview, and not copied. What is new in the list is looked up. Default false: a tag that was moved is a change, which
   * the preview names.
   */
  pin?: pulumi.Input<boolean>;
  /**
   * By the host of the names, `docker.io` or `registry.example:5000`: credentials, CA, proxy or address of a registry.
   * Default: its name, a certificate that this machine trusts, and nobody's credentials.
   */
  registries?: pulumi.Input<Record<string, pulumi.Input<SourceRegistryArgs>>>;
}

/** Where images come from: the path of a package, or a list of names. */
export type ImageSourceArgs = pulumi.Input<string> | ImageListArgs;

/** What a push set's `source` may be. */
export type SourceArgs = ImageSourceArgs | pulumi.Input<pulumi.Input<string>[]> | ImageSourceArgs[];

/** A source as the provider's side takes it, and what is wrong with its certificates. */
export interface LiftedSource {
  source: pulumi.Input<ImageSource | ImageSource[]>;
  problems: pulumi.Output<CheckedArguments>[];
}

/**
 * Passwords become secrets, paths of certificates their texts.
 *
 * @param name What errors call it.
 */
export function liftSource(given: SourceArgs, name = "source"): LiftedSource {
  const problems: pulumi.Output<CheckedArguments>[] = [];
  const lift = (one: unknown, argument: string): unknown => {
    if (isLater(one)) {
      return liftLater(one, argument, problems);
    }
    return isImageList(one) ? liftList(one, argument, problems) : one;
  };
  const lifted = Array.isArray(given)
    ? (given as unknown[]).map((one, at) => lift(one, `${name}[${at}]`))
    : lift(given, name);
  // As it is: made one output, all of it would be as secret as a password in it.
  return { source: lifted as LiftedSource["source"], problems };
}

/** What is an output as a whole: a path, a list of paths, or images by name, whose passwords are to be secrets, too. */
function liftLater(given: unknown, name: string, problems: pulumi.Output<CheckedArguments>[]): pulumi.Output<unknown> {
  const lifted = pulumi.output(given as pulumi.Input<object>).apply((known) => {
    const { source, problems: wrong } = liftSource(known as SourceArgs, name);
    return { source, wrong: gathered(wrong) };
  });
  problems.push(lifted.apply(({ wrong }) => wrong));
  return lifted.apply(({ source }) => source);
}

function isImageList(one: unknown): one is ImageListArgs {
  return typeof one === "object" && one !== null && "images" in one;
}

function liftList(given: ImageListArgs, name: string, problems: pulumi.Output<CheckedArguments>[]): object {
  if (given instanceof ImagesOnNodes) {
    const { images, registries, seen } = given;
    problems.push(seen);
    const list = { images, ...(registries === undefined ? {} : { registries }) };
    return { ...liftRegistries(list, name, problems), held: true };
  }
  return liftRegistries(given, name, problems);
}

function liftRegistries(
  { registries, ...list }: ImageListArgs,
  name: string,
  problems: pulumi.Output<CheckedArguments>[],
): object {
  if (isLater(registries) || Object.values(registries ?? {}).some(isLater)) {
    const known = pulumi.output(registries as pulumi.Input<Record<string, SourceRegistryArgs>>);
    const lifted = known.apply((all) => {
      const wrong: pulumi.Output<CheckedArguments>[] = [];
      const { registries: each } = liftRegistries({ images: [], registries: all }, name, wrong) as {
        registries: unknown;
      };
      return { each, wrong: gathered(wrong) };
    });
    problems.push(lifted.apply(({ wrong }) => wrong));
    return { ...list, registries: lifted.apply(({ each }) => each) };
  }
  if (typeof registries !== "object" || registries === null) {
    return { ...list, registries };
  }
  const lifted = Object.entries(registries as Record<string, SourceRegistryArgs>).map(
    ([host, registry]): [string, object] => {
      if (typeof registry !== "object" || registry === null) {
        return [host, registry];
      }
      const { caCert, caCertPath, password, proxy, ...rest } = registry;
      const ca = pulumi
        .output({ caCert, caCertPath })
        .apply((args) => resolveCa(args, `${name}.registries["${host}"]`));
      problems.push(ca);
      return [
        host,
        {
          ...rest,
          caCert: ca.apply(({ value }) => value),
          password: password === undefined ? undefined : pulumi.secret(password),
          proxy: proxy === undefined ? undefined : proxyInput(proxy),
        },
      ];
    },
  );
  return { ...list, registries: Object.fromEntries(lifted) };
}

/** A proxy's URL may carry a password. */
export function proxyInput(proxy: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(proxy).apply((url) => (isSecretProxy(url) ? pulumi.secret(url) : pulumi.output(url)));
}
