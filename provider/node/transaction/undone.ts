import { type Finding, findingAbout } from "../../model/finding";

/**
 * What the node reports of a rollback, one line each, as its program writes it (undo_journal):
 *
 * - `kept TX PATH`: somebody had changed the file meanwhile; their version stands beside it.
 * - `left PATH`: somebody had changed a file that was not there before us; it is left alone.
 * - `restarted`: containerd was started again with the old configuration.
 * - `silent UNIT SOCKET`: and does not serve yet.
 * - `taken-back`: an unfinished change was taken back.
 * - `because WHY`: what ended it, where the node took it back by itself.
 *
 * `said` is a line of another form: a node may still hold the sentences of an earlier release.
 */
type UndoneKind = "kept" | "left" | "restarted" | "silent" | "taken-back" | "because" | "said";

export type Undone = Finding<UndoneKind>;

const forms: readonly (readonly [RegExp, (...parts: string[]) => Undone])[] = [
  [
    /^kept (\S+) (\/.*)$/,
    (tx, path) =>
      findingAbout(path ?? "", " ", {
        kind: "kept",
        severity: "warning",
        text: `had been changed meanwhile; that version is kept as ${path}.changed-${tx}`,
      }),
  ],
  [
    /^left (\/.*)$/,
    (path) =>
      findingAbout(path ?? "", " ", {
        kind: "left",
        severity: "warning",
        text: "was changed meanwhile and is left as it is",
      }),
  ],
  [
    /^restarted$/,
    () =>
      findingAbout("containerd", " ", {
        kind: "restarted",
        severity: "note",
        text: "was restarted with the old configuration",
      }),
  ],
  [
    /^silent (\S+) (\/.*)$/,
    (unit, socket) =>
      findingAbout("containerd", " ", {
        kind: "silent",
        severity: "warning",
        text: `does not answer on ${socket} half a minute after that start (journalctl -u ${unit?.replace(/\.service$/, "")})`,
      }),
  ],
  [
    /^taken-back$/,
    () => findingAbout("an unfinished change", " ", { kind: "taken-back", severity: "note", text: "was taken back" }),
  ],
  [/^because (.*)$/, (why) => ({ kind: "because", severity: "note", subject: "", text: `(${why})` })],
];

export function readUndone(text: string): Undone[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      for (const [form, make] of forms) {
        const match = form.exec(line);
        if (match !== null) {
          return make(...match.slice(1));
        }
      }
      return { kind: "said", severity: "note", subject: "", text: line };
    });
}
