import type { GivenUpFile } from "../../containerd/containerdPlan";
import type { NodeObservation } from "../observation/observation";
import type { ChangeSet } from "./change";
import type { Intent } from "./intent";

/** Ids of saved originals that come back where a plan gives files up, for `givenUpFiles`. */
export function originalsWanted({ plan, change }: Pick<Intent, "plan" | "change">): string[] {
  return change.operations.flatMap((one) => (one.kind === "c" && plan.remove.includes(one.path) ? [one.original] : []));
}

/**
 * What becomes of the files that a plan gives up, as the transaction has it: left out are those that stay as they are.
 *
 * @param saved Of `originalsWanted`.
 */
export function givenUpFiles(
  { plan, change }: { plan: Pick<Intent["plan"], "remove">; change: ChangeSet },
  { files }: Pick<NodeObservation, "files">,
  saved: Readonly<Record<string, string | undefined>>,
): GivenUpFile[] {
  return plan.remove.flatMap((path): GivenUpFile[] => {
    const step = change.operations.find((one) => "path" in one && one.path === path && "cwxy".includes(one.kind));
    switch (step?.kind) {
      case "c":
        return [{ path, becomes: "original", text: saved[step.original] }];
      case "w":
        return step.text === files[path]?.text ? [] : [{ path, becomes: "without-ours", text: step.text }];
      case "x":
      case "y":
        return [{ path, becomes: "removed" }];
      default:
        return [];
    }
  });
}
