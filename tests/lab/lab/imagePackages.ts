import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { unpackDebian } from "./apt";
import { must } from "./execute";
import { withLock } from "./lock";
import { removeFolderSync } from "./mounts";

/** An image as the foreign tools see it. */
export interface ExpectedImage {
  /** Full public name with tag. */
  readonly name: string;
  /** Digest of what the tag names, as skopeo computes it: a manifest's or an index's. */
  readonly digest: string;
  readonly mediaType: string;
  /** Digest of the image's configuration (its id); absent for an index. */
  readonly configDigest?: string;
  /** For an index: the platforms' manifests. */
  readonly platforms?: readonly { readonly platform: string; readonly digest: string }[];
}

export interface ImagePackage {
  readonly path: string;
  readonly images: readonly ExpectedImage[];
}

/** Packages of each kind; all but the last three hold the same images. */
export interface ImagePackages {
  /** An OCI layout as a folder. */
  readonly folder: ImagePackage;
  readonly tar: ImagePackage;
  readonly tarGz: ImagePackage;
  /** One xz block, as `xz` with one thread writes. */
  readonly tarXz: ImagePackage;
  /** Many xz blocks, as `xz -T` writes. */
  readonly tarXzBlocks: ImagePackage;
  readonly tarZst: ImagePackage;
  /** By skopeo; one image with two tags. The registry sees other manifest digests than skopeo: compare configDigest. */
  readonly dockerArchive: ImagePackage;
  /** A tar with a layout's .tar and a docker-archive inside. */
  readonly nested: ImagePackage;
  /** An OCI layout (folder) whose images are meant for the public registry alone. */
  readonly publicOnly: ImagePackage;
}

/** Raise when what is built here changes. */
const layoutVersion = 4;

/** The nodes run this machine's architecture, and refuse images of another. */
const native = process.arch === "x64" ? "amd64" : process.arch;

const release = "gcr.io/anthos-baremetal-release";
const publicOnlyImages = [
  `gcr.io/public-only/extra:1.0`,
  "somehost.io/public-only/more:1.0",
  "unlisted.io/elsewhere/tool:3.1",
];

/** The packages, from the cache or built into it. Small: a few MB in all. */
export async function ensurePackages(cache: string, log: (line: string) => void): Promise<ImagePackages> {
  const final = join(cache, `packages-${layoutVersion}`);
  const listed = (): ImagePackages | undefined => {
    const list = join(final, "packages.json");
    return existsSync(list)
      ? (JSON.parse(readFileSync(list, "utf8").replaceAll("{{folder}}", final)) as ImagePackages)
      : undefined;
  };
  const present = listed();
  if (present) return present;
  return withLock(join(cache, "packages.lock"), async () => {
    const meanwhile = listed();
    if (meanwhile) return meanwhile;
    log("building the image packages");
    // Packages of other versions stay: a lab of another checkout may be using them, and they are small.
    const building = join(cache, "building-packages");
    removeFolderSync(building);
    mkdirSync(building, { recursive: true });
    const packages = await build(building);
    writeFileSync(
      join(building, "packages.json"),
      JSON.stringify(packages, undefined, 2).replaceAll(building, "{{folder}}"),
    );
    removeFolderSync(final);
    renameSync(building, final);
    return listed() as ImagePackages;
  });
}

async function build(folder: string): Promise<ImagePackages> {
  const content = join(folder, "content");
  await unpackDebian(["busybox-static", "base-files", "netbase", "tzdata"], content);
  const layout = join(folder, "layout");
  await umoci(["init", "--layout", layout]);
  const from = (path: string, to: string): readonly [string, string] => [join(content, path), to];
  // Releases with a merged /usr ship it below usr.
  const busybox =
    ["busybox-static/bin/busybox", "busybox-static/usr/bin/busybox"].find((path) => existsSync(join(content, path))) ??
    "";
  const base = from("base-files/usr/share/common-licenses", "/usr/share/common-licenses");
  await addImage(layout, `${release}/pause:1.0`, [from("netbase/etc/services", "/etc/services")], native);
  await addImage(layout, `${release}/base:12`, [base], native);
  await addImage(layout, `${release}/tools:1.2.3`, [from(busybox, "/bin/busybox")], native, `${release}/base:12`);
  await addImage(
    layout,
    "somehost.io/team/app:v1",
    [from("netbase/etc/protocols", "/etc/protocols")],
    native,
    `${release}/base:12`,
  );
  await addImage(
    layout,
    "otherhost.io/lib/web:2024-01",
    [from("tzdata/usr/share/zoneinfo/Europe/Berlin", "/etc/localtime")],
    native,
  );
  await addIndex(
    layout,
    `${release}/multi:2.0`,
    ["amd64", "arm64"],
    [from("tzdata/usr/share/zoneinfo/Etc", "/usr/share/zoneinfo/Etc")],
  );
  await umoci(["gc", "--layout", layout]);
  const images = await describeLayout(layout);

  const publicOnly = join(folder, "public-only");
  await umoci(["init", "--layout", publicOnly]);
  for (const [index, name] of publicOnlyImages.entries()) {
    // A file of its own each, so that no layer is on a node already.
    const marker = join(content, `only-${index}`);
    writeFileSync(marker, `only in the public registry: ${name}\n`);
    await addImage(publicOnly, name, [[marker, "/etc/only"], base], native);
  }
  await umoci(["gc", "--layout", publicOnly]);

  const path = (name: string): string => join(folder, name);
  const tar = path("images.tar");
  await must("tar", ["-C", layout, "--owner=0", "--group=0", "-cf", tar, "."]);
  await pack(tar, "gzip -n -9", path("images.tar.gz"));
  await pack(tar, "xz -6 -T1", path("images.tar.xz"));
  await pack(tar, "xz -6 -T2 --block-size=262144", path("images-blocks.tar.xz"));
  await pack(tar, "zstd -q -9", path("images.tar.zst"));

  const archive = path("docker-archive.tar");
  const archived = [`${release}/archived:1.0`, `${release}/archived:latest`];
  await skopeo([
    "copy",
    "--additional-tag",
    archived[1] ?? "",
    `oci:${layout}:${release}/tools:1.2.3`,
    `docker-archive:${archive}:${archived[0]}`,
  ]);
  const archiveImages = await Promise.all(archived.map((name) => describe(`docker-archive:${archive}:${name}`, name)));

  const nestedParts = path("nested");
  mkdirSync(nestedParts);
  copyFileSync(tar, join(nestedParts, "layout.tar"));
  copyFileSync(archive, join(nestedParts, "archive.tar"));
  await must("tar", ["-C", nestedParts, "-cf", path("nested.tar"), "layout.tar", "archive.tar"]);
  removeFolderSync(nestedParts);
  removeFolderSync(content);
  return {
    folder: { path: layout, images },
    tar: { path: tar, images },
    tarGz: { path: path("images.tar.gz"), images },
    tarXz: { path: path("images.tar.xz"), images },
    tarXzBlocks: { path: path("images-blocks.tar.xz"), images },
    tarZst: { path: path("images.tar.zst"), images },
    dockerArchive: { path: archive, images: archiveImages },
    nested: { path: path("nested.tar"), images: [...images, ...archiveImages] },
    publicOnly: { path: publicOnly, images: await describeLayout(publicOnly) },
  };
}

const umoci = (args: readonly string[]): Promise<unknown> => must("umoci", args);

/** skopeo without its policy file, which Debian ships in another package. */
async function skopeo(args: readonly string[]): Promise<string> {
  return (await must("skopeo", ["--insecure-policy", ...args])).stdout;
}

async function pack(tar: string, program: string, target: string): Promise<void> {
  await must("sh", ["-c", `${program} -c < "$1" > "$2"`, "sh", tar, target]);
}

/** An image of files, one layer each, on top of another image where one is given. */
async function addImage(
  layout: string,
  name: string,
  files: readonly (readonly [string, string])[],
  architecture: string,
  parent?: string,
): Promise<void> {
  const image = `${layout}:${name}`;
  if (parent === undefined) await umoci(["new", "--image", image]);
  else await umoci(["tag", "--image", `${layout}:${parent}`, name]);
  for (const [source, target] of files) await umoci(["insert", "--image", image, source, target]);
  await umoci([
    "config",
    "--image",
    image,
    "--architecture",
    architecture,
    "--os",
    "linux",
    "--config.cmd",
    "/bin/busybox",
  ]);
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { architecture: string; os: string };
  annotations?: Record<string, string>;
}

interface LayoutIndex {
  schemaVersion: number;
  mediaType?: string;
  manifests: Descriptor[];
}

/**
 * One name for several platforms. umoci makes the images; it cannot write the index, so its few lines of JSON come from
 * here.
 */
async function addIndex(
  layout: string,
  name: string,
  architectures: readonly string[],
  files: readonly (readonly [string, string])[],
): Promise<void> {
  const indexFile = join(layout, "index.json");
  for (const architecture of architectures) await addImage(layout, `platform-${architecture}`, files, architecture);
  const top = JSON.parse(readFileSync(indexFile, "utf8")) as LayoutIndex;
  const manifests = architectures.map((architecture) => {
    const found = top.manifests.find(
      (manifest) => manifest.annotations?.["org.opencontainers.image.ref.name"] === `platform-${architecture}`,
    );
    return {
      mediaType: found?.mediaType ?? "",
      digest: found?.digest ?? "",
      size: found?.size ?? 0,
      platform: { architecture, os: "linux" },
    };
  });
  const body = JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests });
  const digest = createHash("sha256").update(body).digest("hex");
  writeFileSync(join(layout, "blobs/sha256", digest), body);
  top.manifests = top.manifests.filter(
    (manifest) => !manifest.annotations?.["org.opencontainers.image.ref.name"]?.startsWith("platform-"),
  );
  top.manifests.push({
    mediaType: "application/vnd.oci.image.index.v1+json",
    digest: `sha256:${digest}`,
    size: Buffer.byteLength(body),
    annotations: { "org.opencontainers.image.ref.name": name },
  });
  writeFileSync(indexFile, JSON.stringify(top));
  // A foreign reader follows every platform down to its layers, or fails.
  const check = `${layout}.check`;
  await skopeo(["copy", "--all", `oci:${layout}:${name}`, `dir:${check}`]);
  removeFolderSync(check);
}

async function describeLayout(layout: string): Promise<ExpectedImage[]> {
  const top = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as LayoutIndex;
  const names = top.manifests.map((manifest) => manifest.annotations?.["org.opencontainers.image.ref.name"] ?? "");
  return Promise.all(names.map((name) => describe(`oci:${layout}:${name}`, name)));
}

async function describe(source: string, name: string): Promise<ExpectedImage> {
  const raw = await skopeo(["inspect", "--raw", source]);
  const manifest = JSON.parse(raw) as { mediaType?: string; config?: { digest: string }; manifests?: Descriptor[] };
  const digest = `sha256:${createHash("sha256").update(raw).digest("hex")}`;
  const mediaType =
    manifest.mediaType ??
    (manifest.manifests ? "application/vnd.oci.image.index.v1+json" : "application/vnd.oci.image.manifest.v1+json");
  const platforms = manifest.manifests?.map((entry) => ({
    platform: `${entry.platform?.os}/${entry.platform?.architecture}`,
    digest: entry.digest,
  }));
  return {
    name,
    digest,
    mediaType,
    ...(manifest.config ? { configDigest: manifest.config.digest } : {}),
    ...(platforms ? { platforms } : {}),
  };
}

/** Size of a package's file, for people. */
export function packageSize(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, entry) => sum + packageSize(join(path, entry)), 0);
}
