import { documentsOf } from "../../manifests/documents";
import type { ManifestImage } from "../../manifests/imageNames";
import type { ManifestProblem } from "../../manifests/manifestError";
import { throwIfAny } from "../../manifests/manifestError";
import { readManifestFiles } from "../../manifests/manifestFiles";
import type { ManifestSource } from "../../manifests/manifestImages";
import { imagesOfManifests } from "../../manifests/manifestImages";
import { isMapping } from "../../model/mapping";
import { shapeProblems } from "../arguments/shape";
import { shapes } from "./shapes";

export { ManifestError } from "../../manifests/manifestError";

/** Where custom resources name images, by `Kind.group`. */
export type DeclaredImagePaths = Record<string, string[]>;

/**
 * The images that manifests name, with every place where they do.
 *
 * @param sources A path, a text as `{ text, name }`, an object with a `kind`, or a list of these.
 * @throws ManifestError
 */
export async function findImages(sources: unknown, options: { paths?: DeclaredImagePaths }): Promise<ManifestImage[]> {
  const given = Array.isArray(sources) ? (sources.flat(10) as unknown[]) : [sources];
  const read: ManifestSource[] = [];
  const problems = argumentProblems(given, options);
  throwIfAny(problems);
  for (const [at, source] of given.entries()) {
    read.push(await readSource(source, given.length === 1 ? "source" : `source[${at}]`));
  }
  return imagesOfManifests(read, options.paths ?? {});
}

function argumentProblems(given: readonly unknown[], options: unknown): ManifestProblem[] {
  const { paths } = options as { paths?: unknown };
  const problems = [
    ...shapeProblems(options, shapes.manifestOptions, "options"),
    ...Object.entries(isMapping(paths) ? paths : {}).flatMap(([kind, texts]) =>
      shapeProblems(texts, shapes.imagePaths, `options.paths["${kind}"]`),
    ),
    ...given.flatMap((source, at) => {
      if (!isMapping(source)) {
        return isTextOfManifests(source)
          ? [{ text: `source[${at}]: it is a text, not a path; give it as { text: ... }.` }]
          : shapeProblems(source, shapes.manifests, `source[${at}]`);
      }
      return isText(source) ? shapeProblems(source, shapes.manifestText, `source[${at}]`) : [];
    }),
  ];
  if (given.length === 0) {
    problems.push({ text: "source: an empty list; give a file, a folder, a text as { text }, or objects." });
  }
  return problems.map(({ text }) => ({ code: "ARGUMENTS_INVALID", place: { source: "imagesIn" }, message: text }));
}

/** No path has a line's end in it. */
function isTextOfManifests(source: unknown): boolean {
  return typeof source === "string" && source.includes("\n");
}

function isText(source: object): source is { text: string; name?: string } {
  return "text" in source && !("kind" in source);
}

async function readSource(source: unknown, called: string): Promise<ManifestSource> {
  if (typeof source === "string") {
    const { what, texts, problems } = await readManifestFiles(source);
    const read = texts.map(({ source: file, text }) => documentsOf(text, file));
    return {
      name: source,
      what,
      documents: read.flatMap(({ documents }) => documents),
      problems: [...problems, ...read.flatMap((one) => one.problems)],
    };
  }
  if (isMapping(source) && isText(source)) {
    const name = source.name ?? called;
    return { name, what: "text", ...documentsOf(source.text, name) };
  }
  return { name: called, what: "object", documents: [{ value: source, source: called }], problems: [] };
}
