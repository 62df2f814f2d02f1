import * as pulumi from "@pulumi/pulumi";

import type { PushedRegistry } from "../../provider/registry/push/pushedRegistry";
import type { Probe, PushedImage } from "../../provider/registry/push/pushResult";
import type { FormerImage } from "../../provider/registry/sets/formerImages";
import { warningOfLacks } from "../../provider/resources/pushSet/lacks";
import type { InspectedPackage } from "../../provider/resources/pushSet/package";
import { inspectPackage } from "../../provider/resources/pushSet/package";
import { resolvePrune } from "../../provider/resources/pushSet/pruneWanted";
import { registryAt, shownRegistries } from "../../provider/resources/pushSet/registries";
import { requireRegistry } from "../../provider/resources/pushSet/registry";
import { resolveRequireSigned, signaturesNote } from "../../provider/resources/pushSet/requireSigned";
import { checkNames, checkSettings, resolveProbe } from "../../provider/resources/pushSet/settings";
import { resolveSignature } from "../../provider/resources/pushSet/signature";
import { unusedRegistries } from "../../provider/resources/pushSet/unusedRegistries";
import type { PushSetWire } from "../../provider/resources/pushSet/wire";
import type { LiftedWire } from "../lifted";
import { plainErrors, problemsInput } from "../problems";
import { MirrorResource } from "../resource";
import type { SourceArgs } from "./imageSource";
import { liftSource } from "./imageSource";
import { packageListing } from "./packageListing";
import { rememberPlanned } from "./plannedImages";
import type { PruneArgs } from "./pruneArgs";
import { nodesToSpare } from "./pruneArgs";
import type { RegistriesInput } from "./registryArgs";
import { liftRegistry } from "./registryInput";

/** What a preview of a push set may take. */
export interface PushPreviewArgs {
  /**
   * Whether a preview reads a package of which it cannot know otherwise which images are in it: once, a minute or so for
   * some gigabytes, and only until this machine knows them. Default true. With false the preview says that they are
   * known at push.
   */
  list?: boolean;
}

/** A detached signature of a package's file: ECDSA with SHA-256, as `openssl dgst -sha256 -verify` checks it. */
export interface SignatureArgs {
  /** The signature's file, DER or base64. Default: `PACKAGE.1.sig` beside the package. Only where there is one package. */
  path?: pulumi.Input<string>;
  /** The signer's EC public key: the path of a PEM or DER file. */
  publicKeyPath?: pulumi.Input<string>;
  /** The same as PEM text. */
  publicKey?: pulumi.Input<string>;
}

/** A key, and the images that must be signed with it: `cosign sign --key`, checked as `cosign verify --key` does. */
export interface RequireSignedArgs {
  /** The signer's public key, as cosign writes it into `cosign.pub`: the path of a PEM or DER file; EC, RSA or Ed25519. */
  publicKeyPath?: pulumi.Input<string>;
  /** The same as PEM text. */
  publicKey?: pulumi.Input<string>;
  /**
   * Public names, in the form of `include`. Default: all images of the push set. A pattern that fits nothing is an error.
   */
  images?: pulumi.Input<pulumi.Input<string>[]>;
}

/** What to push, and where to. */
export interface ImagePushSetArgs {
  /**
   * An image package: a .tar, .tar.xz, .tar.gz, .tar.zst or a folder, of the forms in docs/packages.md; relative to the
   * program's folder. Or images by name, copied from their registries (docs/copying.md). Or a list of both, pushed as
   * one: the packages of two versions into one namespace, for one. What they share is sent once; one name for two
   * different images is an error.
   *
   * After a push the package need not be kept: while nothing else changes a missing one is a warning.
   */
  source: SourceArgs;
  /**
   * The detached signature that each package of `source` must have, as the publisher gives it beside the package. A package
   * that it does not fit is pushed in no part: the preview says so already, and `up` checks again before it sends anything.
   * Another key or signature of the same package pushes nothing. Default: none is asked for.
   */
  signature?: SignatureArgs;
  /**
   * Keys that images must be signed with by cosign (docs/signatures.md): each image that an entry selects must have a
   * signature by its key for its digest, where the image comes from. One that has none stops the push before anything is
   * sent, and the preview, as far as it can know. Another key, or other images, check again and send nothing else. Default:
   * none is asked for.
   */
  requireSigned?: RequireSignedArgs | RequireSignedArgs[];
  /**
   * The registry, and how to reach it. Or a list: each gets all images, from one reading of the package, and its result and
   * failures are its own (docs/push-sets.md). To add, drop or exchange one of a list is a change in place that leaves the
   * others alone; with one that is no list another endpoint replaces. Errors: `REGISTRY_TWICE`.
   */
  registry: RegistriesInput;
  /**
   * Public names to push, `*` standing for any text within one part of the path, `**` for any text at all, `?` for one
   * character: `["gcr.io/anthos-baremetal-release/*"]`. Without a tag it covers all tags. Default: all. A pattern that
   * fits nothing is an error.
   */
  include?: pulumi.Input<pulumi.Input<string>[]>;
  /** Public names not to push, in the same form; applied after `include`. Default: none. */
  exclude?: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Where below the namespace the probe goes, a tiny image of random content by which nodes prove their route. Default
   * `registry-mirror-probe/probe`; `false` pushes none, and verification can then say "consistent" at best.
   */
  probeRepository?: pulumi.Input<string | false>;
  /**
   * Delete from the registry what a change of package or filters, or destroy, no longer names (`prune` does more of that for changes); never what another push
   * set of the registry names, nor what this one's replacement has (docs/push-sets.md). Default false: nothing is ever
   * deleted.
   */
  deleteImages?: pulumi.Input<boolean>;
  /**
   * Which images of earlier pushes stay. What this push set had pushed and no longer declares is deleted after the next
   * push that is complete, with its children, signatures and tags; never what a node of `nodes` has, what another push set
   * names, or what somebody else has pushed or tagged (docs/pruning.md). A preview names what goes. Default: nothing goes
   * but by `deleteImages`; with `prune`, that is about destroy alone. A change never replaces, and never pushes.
   */
  prune?: PruneArgs;
  /**
   * What a refresh looks at: "manifests" (default), one HEAD an image; or "blobs", below intact tags too, one GET a manifest
   * and one HEAD a blob: it finds what the registry's storage lost, and the next `up` sends that again. Never a cause of a
   * push by itself.
   */
  check?: pulumi.Input<"manifests" | "blobs">;
  /** Folder for temporary files of inner archives. Default: below the system's temporary folder. */
  spoolDir?: pulumi.Input<string>;
  /** Bytes that the package may decode to before it is refused as a decompression bomb. Default 1 TiB. */
  maxDecodedBytes?: pulumi.Input<number>;
  /** What a preview does to name the images (docs/push-sets.md). Never a cause of a change. */
  preview?: PushPreviewArgs;
}

/**
 * Pushes the images of a package into a private registry under the same paths as in the public ones: `gcr.io/a/b:1`
 * becomes `HOST:PORT/[NAMESPACE/]a/b:1`. What the registry has already is not sent again.
 *
 * Errors before anything is sent: the package is missing, or is none; the endpoint, the CA or the credentials are
 * wrong. A package that is truncated, damaged or holds no images is refused by the preview, with the same error, and
 * before anything is sent when what is in it is known: after a preview, of a folder or of a plain .tar. Any other
 * package is decoded while it is sent; then contents lie in the staging repository beside the probe by the time of the
 * error, and no image has been touched (docs/packages.md).
 *
 * An image that the registry refuses does not stop the others: the state keeps those that arrived, and the next `up`
 * sends the rest.
 *
 * An image of several platforms arrives whole or not at all: when one of its platforms cannot be pushed, the image
 * fails by its name and the tag keeps what it points at. Only a platform that the package itself lacks is left out of
 * the tag, where the registry insists on it; preview and `up` warn of each such image with the platforms' names, and
 * `reason` in `images` says so.
 *
 * @group Resources
 */
export class ImagePushSet extends MirrorResource {
  /** What lies in the registry now, in the package's order. Of a list of registries: in the first one. */
  declare readonly images: pulumi.Output<PushedImage[]>;
  /** The probe image, the same in all registries; undefined with `probeRepository: false`. */
  declare readonly probe: pulumi.Output<Probe | undefined>;

  /** The endpoint as given; of a list the first one. */
  declare readonly endpoint: pulumi.Output<string>;
  /** Each registry by itself, in the order of `registry`: what lies in it, and what it lacks. */
  declare readonly registries: pulumi.Output<PushedRegistry[]>;

  /** Of a single registry; what a program is shown of them stands in `registries`. */
  declare private readonly drift: pulumi.Output<string[] | undefined>;
  declare private readonly former: pulumi.Output<FormerImage[] | undefined>;

  /** What is known of the package while the program runs. */
  private readonly seen: pulumi.Output<InspectedPackage | undefined>;

  constructor(name: string, args: ImagePushSetArgs, opts?: pulumi.CustomResourceOptions) {
    plainErrors(() => requireRegistry(args));
    const { spoolDir, maxDecodedBytes, include, exclude, deleteImages, preview, check } = args;
    const { registry, endpoint, problems: registryProblems } = liftRegistry(args.registry);
    const { source, problems: sourceProblems } = liftSource(args.source);
    const signature = pulumi.output(args.signature).apply(resolveSignature);
    const requireSigned = pulumi.output(args.requireSigned).apply(resolveRequireSigned);
    const signers = requireSigned.apply(({ value }) => value);
    // Patterns that are not known yet are no reason not to look at the package.
    const checked = args.requireSigned === undefined ? {} : { requireSigned: signers, include, exclude };
    const required = signature.apply(({ value }) => value);
    // Nothing that is seen of it is a secret, although a registry's password may be needed to see it.
    const listing = packageListing(preview?.list);
    const seen = pulumi.unsecret(
      pulumi
        .output({ source, signature: required, ...checked, spoolDir, maxDecodedBytes })
        .apply((given) => inspectPackage(given, listing)),
    );
    const settings = pulumi.output({ include, exclude, deleteImages, preview, check }).apply(checkSettings);
    const probe = pulumi.output(args.probeRepository).apply(resolveProbe);
    // Hosts are no secrets, although passwords may be needed to reach them.
    const prune = pulumi.unsecret(pulumi.output(args.prune).apply((given) => resolvePrune(given)));
    const wire: LiftedWire<PushSetWire> = {
      source,
      signature: required,
      requireSigned: signers,
      fingerprint: seen.apply((found) => found.value?.fingerprint),
      contents: seen.apply((found) => found.value?.contents),
      digests: seen.apply((found) => found.value?.digests),
      mark: seen.apply((found) => found.value?.mark),
      missing: seen.apply((found) => found.value?.missing),
      packages: seen.apply((found) => found.value?.packages),
      unread: preview?.list === false && pulumi.runtime.isDryRun() ? true : undefined,
      registry,
      include,
      exclude,
      probeRepository: probe.apply((found) => found.value),
      deleteImages,
      prune: prune.apply(({ value }) => value),
      pruneNodes: nodesToSpare(args.prune),
      check,
      spoolDir,
      maxDecodedBytes,
    };
    const problems = problemsInput(
      checkNames(args),
      ...registryProblems,
      ...sourceProblems,
      signature,
      requireSigned,
      seen,
      settings,
      prune,
      probe,
    );
    super(
      "ImagePushSet",
      "imagePushSet",
      name,
      {
        ...wire,
        drift: undefined,
        former: undefined,
        images: undefined,
        probe: undefined,
        registries: undefined,
        endpoint,
        problems: pulumi.unsecret(problems),
      },
      // How to reach a registry that is still to be cleaned after it was taken out of the list.
      pulumi.mergeOptions(opts, { additionalSecretOutputs: ["dropped"] }),
    );
    const { images, drift, former } = this;
    const only = pulumi.output({ endpoint: this.endpoint, images, probe: this.probe, drift, former });
    this.registries = pulumi.all([this.registries, only]).apply(([several, one]) => shownRegistries(several, one));
    this.seen = seen.apply(({ value }) => value);
    rememberPlanned(this.images, this.seen);
    if (pulumi.runtime.isDryRun()) {
      pulumi.output(source).apply((known) => {
        const { warnings, notes } = unusedRegistries(known);
        warnings.forEach((text) => void pulumi.log.warn(text, this));
        notes.forEach((text) => void pulumi.log.info(text, this));
      });
    }
    pulumi.output({ found: this.seen, include, exclude }).apply(({ found, ...patterns }) => {
      const warning = found === undefined ? undefined : warningOfLacks(found, patterns);
      if (warning !== undefined && pulumi.runtime.isDryRun()) {
        void pulumi.log.warn(warning, this);
      }
      if (found?.signatures !== undefined && pulumi.runtime.isDryRun()) {
        void pulumi.log.info(signaturesNote(found.signatures), this);
      }
    });
  }

  /**
   * What lies in one of several registries, for nodes that ask that one: as `images` of MirroredCluster, or in the arguments
   * of NodeContainerd, `{ ...images.at("10.0.0.6:5000"), ... }`.
   *
   * @param endpoint Of the registry, in any way of writing it.
   * @throws MirrorError `REGISTRY_NOT_LISTED` which ends the program
   */
  at(endpoint: pulumi.Input<string>): Pick<ImagePushSet, "images" | "probe"> {
    const found = pulumi
      .all([this.registries, endpoint])
      .apply(([all, wanted]) => plainErrors(() => registryAt(all, wanted)));
    const images = found.apply((one) => one.images);
    rememberPlanned(images, this.seen);
    return { images, probe: found.apply(({ probe }) => probe) };
  }
}
