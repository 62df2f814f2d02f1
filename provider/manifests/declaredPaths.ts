import type { ImagePath } from "./imagePath";
import { parseImagePath } from "./imagePath";
import type { ManifestProblem } from "./manifestError";

/** The paths that a program declares for custom resources. */
export class DeclaredPaths {
  /** Both as written: what was met, and which path found something. */
  private readonly met = new Set<string>();
  private readonly found = new Set<string>();

  private constructor(private readonly byKind: ReadonlyMap<string, ImagePath[]>) {}

  /** `{ "Kind.group": ["spec.image"] }` */
  static of(paths: Readonly<Record<string, readonly string[]>>): {
    declared: DeclaredPaths;
    problems: ManifestProblem[];
  } {
    const problems: ManifestProblem[] = [];
    const add = (field: string, message: string): unknown =>
      problems.push({ code: "IMAGES_IN_PATH_INVALID", place: { source: "options", field }, message });
    const byKind = Object.entries(paths).map(([kind, texts]): [string, ImagePath[]] => {
      if (!/^[A-Z][A-Za-z0-9]*(?:\.[a-z0-9-]+)*$/.test(kind)) {
        add(
          "paths",
          `${JSON.stringify(kind)} names no kind; write Kind.group, such as "Prometheus.monitoring.coreos.com".`,
        );
      }
      const read = texts.map((text) => {
        const path = parseImagePath(text);
        if (path === undefined) {
          const forms =
            'spec.image, spec.sidecars[].image, spec.parts.*.image, metadata.annotations["example.com/image"]';
          add(`paths["${kind}"]`, `${JSON.stringify(text)} is no path; write it as one of these: ${forms}.`);
        }
        return path;
      });
      return [kind, read.filter((path) => path !== undefined)];
    });
    return { declared: new DeclaredPaths(new Map(byKind)), problems };
  }

  /** Those for a document; a kind that is declared without a group is of any. */
  for(kind: string, group: string | undefined): { key: string; path: ImagePath }[] {
    const keys = [...new Set([kind, `${kind}.${group ?? ""}`])];
    return keys.flatMap((key) => {
      const paths = this.byKind.get(key) ?? [];
      this.met.add(key);
      return paths.map((path) => ({ key, path }));
    });
  }

  sawImage(key: string, path: ImagePath): void {
    this.found.add(`${key} ${path.text}`);
  }

  /** A misspelled kind or path would leave images out without a word. */
  unmatched(): ManifestProblem[] {
    const problem = (key: string, message: string): ManifestProblem => ({
      code: "IMAGES_IN_PATH_UNMATCHED",
      place: { source: "options", field: `paths["${key}"]` },
      message,
    });
    return [...this.byKind].flatMap(([key, paths]) => {
      if (!this.met.has(key)) {
        return [
          problem(key, "no manifest is of this kind. Correct it, as apiVersion and kind say it, or take it out."),
        ];
      }
      return paths
        .filter((path) => !path.optional && !this.found.has(`${key} ${path.text}`))
        .map(({ text }) => {
          const quoted = JSON.stringify(text);
          return problem(key, `${quoted} finds no image. Correct it, or write "${text}?" if it may find none.`);
        });
    });
  }
}
