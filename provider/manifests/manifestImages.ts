import { MirrorError } from "../model/errors";
import { isMapping } from "../model/mapping";
import type { Reference } from "../model/reference";
import { parseReference } from "../model/reference";
import { DeclaredPaths } from "./declaredPaths";
import type { ManifestImage } from "./imageNames";
import { uniqueImages } from "./imageNames";
import type { WalkStop } from "./imageWalk";
import { walk } from "./imageWalk";
import type { FieldPath, ManifestDocument, ManifestPlace } from "./manifest";
import { fieldOf, fieldText, textOf } from "./manifest";
import type { ManifestProblem } from "./manifestError";
import { throwIfAny } from "./manifestError";
import { isTemplateMapping, isTemplateText, renderFirst } from "./template";
import { workloadPaths } from "./workloads";

/** Steps through one document before its aliases are taken for an attack: ten thousand pods take half a million. */
const maxSteps = 2_000_000;

/** What finding an image costs beside a step, its line above all. */
const stepsOfImage = 20;

/** A manifest within a document: the document itself, or an entry of a List. */
interface Manifest {
  value: Record<string, unknown>;
  at: FieldPath;
  kind: string;
  group: string | undefined;
}

/** What one source came to. */
export interface ManifestSource {
  name: string;
  /** `file`, `folder`: what it is called where it has nothing. */
  what: string;
  documents: ManifestDocument[];
  /** What is wrong with it as files and YAML. */
  problems: ManifestProblem[];
}

/**
 * The images that manifests name: of workloads, and of custom resources by declared paths.
 *
 * @throws ManifestError with everything that is wrong
 */
export function imagesOfManifests(
  sources: readonly ManifestSource[],
  paths: Readonly<Record<string, readonly string[]>>,
): ManifestImage[] {
  const { declared, problems } = DeclaredPaths.of(paths);
  const named: { reference: Reference; place: ManifestPlace }[] = [];
  for (const { name, what, documents, problems: unread } of sources) {
    appendTo(problems, unread);
    let seen = 0;
    for (const document of documents) {
      const reader = new DocumentReader(document, declared);
      seen += reader.read();
      appendTo(named, reader.named);
      appendTo(problems, reader.problems);
    }
    if (seen === 0 && unread.length === 0) {
      const message = `this ${what} has no Kubernetes manifest, nothing with a kind. Give one that has, or take it out.`;
      problems.push({ code: "IMAGES_IN_NONE", place: { source: name }, message });
    }
  }
  if (problems.length === 0) {
    problems.push(...declared.unmatched());
  }
  throwIfAny(problems);
  return uniqueImages(named);
}

/** `push(...)` has room for some ten thousand. */
function appendTo<T>(list: T[], more: readonly T[]): void {
  for (const one of more) {
    list.push(one);
  }
}

/** Reads one document, and keeps what it found. */
class DocumentReader {
  readonly named: { reference: Reference; place: ManifestPlace }[] = [];
  readonly problems: ManifestProblem[] = [];
  private steps = 0;

  constructor(
    private readonly document: ManifestDocument,
    private readonly declared: DeclaredPaths,
  ) {}

  /** @returns how many manifests it has */
  read(): number {
    let manifests = 0;
    try {
      for (const manifest of this.manifestsOf(this.document.value, [], undefined)) {
        manifests += 1;
        this.readManifest(manifest);
      }
    } catch (error) {
      if (!(error instanceof TooManySteps)) {
        throw error;
      }
      const message =
        "this document is too large, or its aliases nest too deep. Give it rendered, in several documents.";
      this.problems.push({ code: "IMAGES_IN_UNREADABLE", place: this.placeOf([], undefined), message });
    }
    return manifests;
  }

  private readonly pass = (steps = 1): void => {
    this.steps += steps;
    if (this.steps > maxSteps) {
      throw new TooManySteps();
    }
  };

  /** `kubectl get` writes Lists; entries of a PodList say no kind. */
  private *manifestsOf(value: unknown, at: FieldPath, listed: Identity | undefined): Generator<Manifest> {
    this.pass();
    if (at.length > maxListDepth || !isMapping(value)) {
      return;
    }
    const kind = textOf(fieldOf(value, "kind")) ?? listed?.kind ?? kustomizationOf(this.document);
    const apiVersion = textOf(fieldOf(value, "apiVersion")) ?? listed?.apiVersion;
    if (kind === undefined) {
      return;
    }
    const items = fieldOf(value, "items");
    if (kind.endsWith("List") && Array.isArray(items)) {
      const entry = kind === "List" ? undefined : { kind: kind.slice(0, -"List".length), apiVersion };
      for (const [n, item] of items.entries()) {
        yield* this.manifestsOf(item, [...at, "items", n], entry);
      }
    }
    yield { value, at, kind, group: groupOf(apiVersion) };
  }

  private readManifest(manifest: Manifest): void {
    const { kind, group, value, at } = manifest;
    const place = (path: FieldPath): ManifestPlace => {
      this.pass(stepsOfImage);
      return this.placeOf([...at, ...path], manifest);
    };
    if (kind === "Kustomization" && (group === undefined || group === "kustomize.config.k8s.io")) {
      const field = ["images", "helmCharts", "helmChartInflationGenerator"].find(
        (name) => fieldOf(value, name) !== undefined,
      );
      if (field !== undefined) {
        const message = `kustomize changes the images' names, or brings more of them. ${renderFirst}`;
        this.problems.push({ code: "IMAGES_IN_TEMPLATE", place: place([field]), message });
      }
    }
    for (const path of workloadPaths(kind, group)) {
      for (const stop of walk(value, path, this.pass)) {
        this.take(stop, place(stop.path));
      }
    }
    for (const { key, path } of this.declared.for(kind, group)) {
      for (const stop of walk(value, path, this.pass)) {
        this.take(stop, place(stop.path));
        this.declared.sawImage(key, path);
      }
    }
  }

  private take(stop: WalkStop, place: ManifestPlace): void {
    if ("wanted" in stop) {
      const message = `it is not ${stop.wanted}, so no image can be found in it. Correct it, or the path that leads there.`;
      this.problems.push({ code: "IMAGES_IN_FIELD_TYPE", place, message });
      return;
    }
    const { value } = stop;
    if (typeof value === "string" ? isTemplateText(value) : isMapping(value) && isTemplateMapping(value)) {
      const shown = typeof value === "string" ? JSON.stringify(short(value)) : "{{ ... }}";
      const message = `the image ${shown} is a placeholder. ${renderFirst}`;
      this.problems.push({ code: "IMAGES_IN_TEMPLATE", place, message });
    } else if (typeof value !== "string") {
      const message = `an image's name is a text, and this is ${kindOfValue(value)}. Write it in quotes, as HOST/REPOSITORY:TAG.`;
      this.problems.push({ code: "IMAGES_IN_IMAGE_INVALID", place, message });
    } else {
      this.takeName(value, place);
    }
  }

  private takeName(value: string, place: ManifestPlace): void {
    try {
      this.named.push({ reference: parseReference(short(value)), place });
    } catch (error) {
      if (!(error instanceof MirrorError)) {
        throw error;
      }
      this.problems.push({ code: "IMAGES_IN_IMAGE_INVALID", place, message: error.message });
    }
  }

  private placeOf(path: FieldPath, manifest: Manifest | undefined): ManifestPlace {
    const { source, document, lineOf } = this.document;
    const metadata = fieldOf(manifest?.value, "metadata");
    const name = textOf(fieldOf(metadata, "name")) ?? textOf(fieldOf(metadata, "generateName"));
    const line = lineOf?.(path);
    return {
      source,
      ...(document === undefined ? {} : { document }),
      ...(line === undefined ? {} : { line }),
      ...(manifest === undefined ? {} : { kind: manifest.kind }),
      ...(name === undefined ? {} : { name }),
      ...(path.length === 0 ? {} : { field: fieldText(path) }),
    };
  }
}

class TooManySteps extends Error {}

/** Two steps a List. Lists in Lists are not written by anybody; one that holds itself has no end. */
const maxListDepth = 8;

interface Identity {
  kind: string;
  apiVersion: string | undefined;
}

/** kustomize takes its own file without a kind. */
function kustomizationOf({ source }: ManifestDocument): string | undefined {
  return /(?:^|[/\\])kustomization\.ya?ml$/.test(source) ? "Kustomization" : undefined;
}

/** `apps/v1` is of apps, `v1` of the core group, which has no name. */
function groupOf(apiVersion: string | undefined): string | undefined {
  if (apiVersion === undefined) {
    return undefined;
  }
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** No name is longer than 400 characters; so is no message. */
function short(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}...` : text;
}

function kindOfValue(value: unknown): string {
  return Array.isArray(value) ? "a list" : isMapping(value) ? "a mapping" : `the ${typeof value} ${String(value)}`;
}
