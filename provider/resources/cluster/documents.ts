import { Document, LineCounter, parseAllDocuments } from "yaml";

import { messageOf } from "../../model/errors";
import { Problems } from "./errors";
import type { FieldSource } from "./field";
import { Field } from "./field";

/** The API group of bmctl's own resources; the version behind the slash is not ours to judge. */
const bmctlGroup = "baremetal.cluster.gke.io/";

/** A bmctl file holds a few hundred nodes in some hundred kB. What is larger is something else. */
const maxFileBytes = 16 * 1024 * 1024;

/** The documents of a cluster file that say something to us; all others are left alone. */
export interface ClusterDocuments {
  file: string;
  problems: Problems;
  /** Documents without `kind`: bmctl's header, wherever it stands. */
  headers: Field[];
  clusters: Field[];
  nodePools: Field[];
}

/**
 * Reads the text of a multi-document YAML file. Problems of the YAML itself are thrown at once: nothing after them is
 * sure.
 */
export function documentsOfText(text: string, file: string): ClusterDocuments {
  const problems = new Problems();
  if (text.length > maxFileBytes) {
    problems.add(
      "CLUSTER_FILE_UNREADABLE",
      { file },
      `the file has ${text.length} characters; a cluster file has less than ${maxFileBytes}`,
    );
    problems.throwIfAny();
  }
  const lines = new LineCounter();
  let parsed: Document[];
  try {
    // `prettyErrors` would quote lines of the file in its messages, and a cluster file may hold an OIDC client secret.
    parsed = [
      ...parseAllDocuments(text, {
        lineCounter: lines,
        merge: true,
        prettyErrors: false,
        stringKeys: false,
        logLevel: "silent",
      }),
    ];
  } catch (error) {
    // The reader's own limits, such as lists nested thousands deep.
    problems.add("CLUSTER_FILE_SYNTAX", { file }, `this cannot be read as YAML: ${messageOf(error)}`);
    problems.throwIfAny();
    throw error;
  }
  parsed.forEach((document, at) => {
    for (const error of document.errors) {
      const place = lines.linePos(error.pos[0]);
      problems.add(
        "CLUSTER_FILE_SYNTAX",
        { file, line: place.line, column: place.col, document: at + 1 },
        syntaxMessage(error.code, error.message),
      );
    }
  });
  problems.throwIfAny();
  return sortDocuments(parsed, file, problems, lines);
}

/** The same for documents given as plain objects. */
export function documentsOfObjects(objects: readonly unknown[], file: string): ClusterDocuments {
  const problems = new Problems();
  const documents = objects.map((object) => new Document(object));
  return sortDocuments(documents, file, problems, undefined);
}

function sortDocuments(
  documents: readonly Document[],
  file: string,
  problems: Problems,
  lines: LineCounter | undefined,
): ClusterDocuments {
  const sorted: ClusterDocuments = { file, problems, headers: [], clusters: [], nodePools: [] };
  documents.forEach((document, at) => {
    const source: FieldSource = { file, index: at + 1, document, problems, ...(lines === undefined ? {} : { lines }) };
    const root = Field.root(source);
    if (!root.isMapping) {
      return;
    }
    const kind = root.get("kind");
    if (!kind.present) {
      source.name = "header";
      sorted.headers.push(root);
      return;
    }
    const group = root.get("apiVersion").text();
    const kindName = kind.text();
    if (group === undefined || !group.startsWith(bmctlGroup) || (kindName !== "Cluster" && kindName !== "NodePool")) {
      return;
    }
    source.name = kindName;
    const name = root.get("metadata").get("name").text();
    if (name === undefined) {
      root.get("metadata").get("name").problem("CLUSTER_FIELD_MISSING", `a ${kindName} needs a name`);
      return;
    }
    source.name = `${kindName} ${name}`;
    (kindName === "Cluster" ? sorted.clusters : sorted.nodePools).push(root);
  });
  return sorted;
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab stands in the indentation; YAML takes only spaces there";
    case "DUPLICATE_KEY":
      return "this key stands twice in the same mapping; which of the two is meant is not for us to guess, so remove one";
    default:
      return `this is not valid YAML: ${message}`;
  }
}
