import * as pulumi from "@pulumi/pulumi";

import type { OpenOptions, PackageIndex } from "../../provider/archive/imagePackage";
import { openPackages, sourcesOf } from "../../provider/archive/packageList";
import { withCode } from "../../provider/model/codes";
import { MirrorError } from "../../provider/model/errors";
import { localPath } from "../../provider/model/localPath";
import { checkCertificates, readTextFile } from "../../provider/model/textFile";
import { parseRegistryEndpoint } from "../../provider/registry/endpoint";
import { selectImages } from "../../provider/registry/push/imageFilter";
import { lacksOf, lackWarning } from "../../provider/registry/push/pushPlan";
import type { Probe, PushedImage } from "../../provider/registry/push/pushResult";
import { defaultProbeRepository } from "../../provider/registry/sets/besideProbe";
import { shapeProblems } from "../../provider/resources/arguments/shape";
import { shapes } from "../../provider/resources/arguments/shapes";
import type { ImagePushSetInputs } from "../../provider/resources/pushSet/operations";
import type { Resolved } from "../problems";
import { attempt, attemptWith, attemptWithAsync, problemsOf, refuseAtOnce } from "../problems";
import { MirrorResource } from "../resource";

/**
 * How to reach the private registry from the machine that runs Pulumi. Changing anything but `endpoint` never touches
 * the registry.
 */
export interface RegistryArgs {
  /**
   * `HOST:PORT`, or `HOST:PORT/NAMESPACE` to put every image below a namespace of one's own. Also accepted: the same
   * with `https://` (the default) or `http://` in front, and bmctl's `https://HOST:PORT/v2/NAMESPACE`. Another host,
   * port or namespace replaces the push set: the new place is filled before the old one is let go.
   */
  endpoint: pulumi.Input<string>;
  /**
   * Path of the CA certificate (PEM) that signed the registry's own; in addition to the system's. Excludes `caCert`.
   */
  caCertPath?: pulumi.Input<string>;
  /** The same as text. */
  caCert?: pulumi.Input<string>;
  /** With `password`; excludes `dockerConfigPath`. No credentials at all: the registry must not ask for any. */
  username?: pulumi.Input<string>;
  /** Always kept as a secret. */
  password?: pulumi.Input<string>;
  /**
   * Path of a Docker `config.json`; its `auths`, `credHelpers` and `credsStore` are understood. Read when it is needed,
   * never kept.
   */
  dockerConfigPath?: pulumi.Input<string>;
  /**
   * `http://[USER:PASSWORD@]HOST:PORT` of a proxy. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment.
   */
  proxy?: pulumi.Input<string>;
  /** Accept any TLS certificate. Default false. For plain HTTP write `http://` into the endpoint instead. */
  insecure?: pulumi.Input<boolean>;
}

/** What to push, and where to. */
export interface ImagePushSetArgs {
  /**
   * The image package: a .tar, .tar.xz, .tar.gz, .tar.zst or a folder, of the forms in docs/packages.md; relative to
   * the program's folder. Or several, pushed as one: the packages of two versions into one namespace, for one. What
   * they share is sent once; one name for two different images is an error.
   *
   * After a push the package need not be kept: while nothing else changes a missing one is a warning.
   */
  source: pulumi.Input<string> | pulumi.Input<pulumi.Input<string>[]>;
  /** The registry, and how to reach it. */
  registry: RegistryArgs;
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
   * Delete from the registry what a change of package or filters, or destroy, no longer names; never what another push
   * set of the registry names, nor what this one's replacement has (docs/push-sets.md). Default false: nothing is ever
   * deleted.
   */
  deleteImages?: pulumi.Input<boolean>;
  /** Folder for temporary files of inner archives. Default: below the system's temporary folder. */
  spoolDir?: pulumi.Input<string>;
  /** Bytes that the package may decode to before it is refused as a decompression bomb. Default 1 TiB. */
  maxDecodedBytes?: pulumi.Input<number>;
}

/**
 * Pushes the images of a package into a private registry under the same paths as in the public ones: `gcr.io/a/b:1`
 * becomes `HOST:PORT/[NAMESPACE/]a/b:1`. What the registry has already is not sent again.
 *
 * Errors before anything is sent: the package is missing, or is none; the endpoint, the CA or the credentials are
 * wrong. A package that is truncated, damaged or holds no images is refused before anything is sent, too, when what is
 * in it can be seen beforehand: a folder, a plain .tar, a small package, one that was read before. Any other compressed
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
  /** What lies in the registry now, in the package's order. */
  declare readonly images: pulumi.Output<PushedImage[]>;
  /** The probe image; undefined with `probeRepository: false`. */
  declare readonly probe: pulumi.Output<Probe | undefined>;

  /** The endpoint as given. */
  declare readonly endpoint: pulumi.Output<string>;

  constructor(name: string, args: ImagePushSetArgs, opts?: pulumi.CustomResourceOptions) {
    refuseAtOnce(args, shapes.pushRegistry, "ImagePushSet");
    const { registry } = args;
    const endpoint = pulumi
      .output(registry.endpoint)
      .apply((text) => attemptWith(text, shapes.pushEndpoint, "registry.endpoint", () => parseRegistryEndpoint(text)));
    const { username, password, dockerConfigPath, proxy, insecure } = registry;
    const { include, exclude, deleteImages } = args;
    const rest = pulumi
      .output({ registry: { username, dockerConfigPath, insecure }, include, exclude, deleteImages })
      .apply((given) => ({ problems: shapeProblems(given, shapes.pushRest, "") }));
    const secrets = pulumi
      .output({ registry: { password, proxy } })
      .apply((given) => ({ problems: shapeProblems(given, shapes.pushSecrets, "") }));
    const probe = pulumi.output(args.probeRepository).apply((given) => ({ problems: probeProblems(given) }));
    const caCert = pulumi.output({ caCert: registry.caCert, caCertPath: registry.caCertPath }).apply(readCa);
    const conflict = pulumi
      .output({
        username: registry.username,
        docker: registry.dockerConfigPath,
        withPassword: registry.password !== undefined,
      })
      .apply(conflictingCredentials);
    const source = pulumi
      .output({ source: args.source, spoolDir: args.spoolDir, maxDecodedBytes: args.maxDecodedBytes })
      .apply(lookAt);
    const wire: Record<keyof ImagePushSetInputs, unknown> = {
      source: args.source,
      fingerprint: source.apply((found) => found.value?.fingerprint),
      contents: source.apply((found) => found.value?.contents),
      missing: source.apply((found) => found.value?.missing),
      registry: {
        endpoint: registry.endpoint,
        caCert: caCert.apply((ca) => ca.value),
        username: registry.username,
        password: registry.password === undefined ? undefined : pulumi.secret(registry.password),
        dockerConfigPath: registry.dockerConfigPath,
        proxy: registry.proxy === undefined ? undefined : proxyInput(registry.proxy),
        insecure: registry.insecure,
      },
      include: args.include,
      exclude: args.exclude,
      probeRepository: pulumi.output(args.probeRepository).apply((path) => path ?? defaultProbeRepository),
      deleteImages: args.deleteImages,
      spoolDir: args.spoolDir,
      maxDecodedBytes: args.maxDecodedBytes,
      drift: undefined,
    };
    super(
      "ImagePushSet",
      "imagePushSet",
      name,
      {
        ...wire,
        images: undefined,
        probe: undefined,
        endpoint: registry.endpoint,
        problems: pulumi.unsecret(problemsOf(endpoint, caCert, conflict, source, rest, secrets, probe)),
      },
      opts,
    );
    pulumi
      .output({ seen: source.apply((found) => found.value), include: args.include ?? [], exclude: args.exclude ?? [] })
      .apply((known) => warnOfLacks(known, this));
  }
}

/** A proxy's URL may carry a password. */
function proxyInput(proxy: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi
    .output(proxy)
    .apply((url) => (typeof url === "string" && url.includes("@") ? pulumi.secret(url) : pulumi.output(url)));
}

function probeProblems(given: unknown): string[] {
  return given === false ? [] : shapeProblems(given, shapes.probe, "probeRepository");
}

function readCa(args: { caCert?: string; caCertPath?: string }): Resolved<string | undefined> {
  return attemptWith(args, shapes.pushCa, "registry", () => {
    if (args.caCertPath !== undefined) {
      return checkCertificates(
        readTextFile(args.caCertPath, "registry.caCertPath"),
        `registry.caCertPath ${args.caCertPath}`,
      );
    }
    return args.caCert === undefined ? undefined : checkCertificates(args.caCert, "registry.caCert");
  });
}

function conflictingCredentials(given: {
  username?: string;
  docker?: string;
  withPassword: boolean;
}): Resolved<undefined> {
  const problems: string[] = [];
  if (given.docker !== undefined && (given.username !== undefined || given.withPassword)) {
    const both = "registry: both dockerConfigPath and username or password are given; leave one of them out.";
    problems.push(withCode(both, "CREDENTIALS_TWICE"));
  }
  if ((given.username !== undefined) !== given.withPassword) {
    const half = given.withPassword ? "password without username" : "username without password";
    problems.push(withCode(`registry: ${half}; give both, or neither.`, "CREDENTIALS_INCOMPLETE"));
  }
  return { problems };
}

/**
 * Bytes of a package that a preview decodes, once, to list what is in it: about a second's worth. A larger one is
 * listed after its first push.
 */
const lookBytes = 64 * 1024 * 1024;

/** What the program sees of a package; the lists only when its index is known. */
interface Seen {
  fingerprint?: string;
  /** That there is none at the path. */
  missing?: string;
  contents?: string[];
  /** Images that are only partly in the package. */
  lacks?: Lack[];
}

interface Lack {
  source: string;
  names: string[];
}

/** In a preview: what a push would warn of. The push itself does so where the registry does not have it either. */
function warnOfLacks(
  { seen, include, exclude }: { seen: Seen | undefined; include: string[]; exclude: string[] },
  resource: ImagePushSet,
): void {
  const { lacks = [], contents = [] } = seen ?? {};
  const isPattern = shapeProblems({ include, exclude }, shapes.pushPatterns, "").length === 0;
  if (lacks.length === 0 || !isPattern || !pulumi.runtime.isDryRun()) {
    return;
  }
  const images = contents.map((line) => ({ source: line.slice(0, line.indexOf(" ")) }));
  // A pattern that fits nothing is for the push to refuse; here it chooses nothing.
  const chosen = new Set(
    (attempt(() => selectImages(images, include, exclude)).value ?? []).map(({ source }) => source),
  );
  const warning = lackWarning(
    new Map(lacks.filter(({ source }) => chosen.has(source)).map(({ source, names }) => [source, names])),
  );
  if (warning !== undefined) {
    void pulumi.log.warn(warning, resource);
  }
}

/**
 * What can be known of a package without decoding it, or by a quick look at a small one. Its content counts, not its
 * path or time, so a copy elsewhere is no change.
 */
async function lookAt(args: {
  source: string | string[];
  spoolDir?: string;
  maxDecodedBytes?: number;
}): Promise<Resolved<Seen>> {
  return attemptWithAsync(args, Array.isArray(args.source) ? shapes.pushSources : shapes.pushSource, "", async () => {
    const sources = checkedSources(args.source).map(localPath);
    const options: OpenOptions = {
      lookBytes,
      ...(args.spoolDir === undefined ? {} : { spoolDir: localPath(args.spoolDir) }),
      ...(args.maxDecodedBytes === undefined ? {} : { maxDecodedBytes: args.maxDecodedBytes }),
    };
    const opened = await openPackages(sources, options).catch(missingPackage);
    if ("missing" in opened) {
      return opened;
    }
    try {
      const index = await opened.index();
      return {
        fingerprint: opened.fingerprint,
        ...(index === undefined
          ? {}
          : { contents: contentsOf(index), lacks: [...lacksOf(index)].map(([source, names]) => ({ source, names })) }),
      };
    } finally {
      await opened.close();
    }
  });
}

/** Whether a package that is not there is a mistake is for check to say: after a push nobody has to keep it. */
function missingPackage(error: unknown): { missing: string } {
  if (error instanceof MirrorError && error.code === "ARCHIVE_NOT_FOUND") {
    return { missing: error.message };
  }
  throw error;
}

/** @throws MirrorError `SOURCE_INVALID` for a list that names nothing, or one package twice */
function checkedSources(source: string | string[]): string[] {
  const sources = sourcesOf(source);
  if (sources.length === 0) {
    throw new MirrorError("SOURCE_INVALID", "source: an empty list; name an image package, or several.");
  }
  const twice = sources.find((path, at) => sources.indexOf(path) !== at);
  if (twice !== undefined) {
    throw new MirrorError("SOURCE_INVALID", `source: "${twice}" is named twice; take one away.`);
  }
  return sources;
}

/** One line an image, so that a preview's diff reads as a list of images added, dropped and changed. */
function contentsOf(index: PackageIndex): string[] {
  return index.images.map((image) => `${image.source} ${image.root.digest}`).sort();
}
