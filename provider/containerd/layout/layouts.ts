import { containerdLayout } from "./containerd";
import type { LayoutPaths } from "./custom";
import { customLayout } from "./custom";
import type { NodeLayout } from "./layout";

/** Kinds of nodes that can be named. */
export type LayoutKind = "containerd";

/** Where containerd is on a node: found there ("auto"), a kind by its name, or any other place by its paths. */
export type LayoutChoice = "auto" | LayoutKind | LayoutPaths;

const layouts: Readonly<Record<LayoutKind, NodeLayout>> = { containerd: containerdLayout };

/** What `layout` may be, but for paths. */
export const layoutNames: readonly string[] = ["auto", ...Object.keys(layouts)];

/** The usual one: of a node that has none of the kinds, and of what was recorded before there were others. */
export const usualLayout: NodeLayout = containerdLayout;

/** Those that a node may have, the usual one first: one, unless it is to be found there. */
export function candidates(choice: LayoutChoice): readonly NodeLayout[] {
  if (typeof choice === "object") {
    return [customLayout(choice)];
  }
  return choice === "auto" ? Object.values(layouts) : [layouts[choice]];
}

/** What a choice came to on a node, for where it is asked for again: what was found stays, whatever comes beside it. */
export function foundChoice(choice: LayoutChoice = "auto", found: string = usualLayout.kind): LayoutChoice {
  return choice === "auto" && isKind(found) ? found : choice;
}

function isKind(name: string): name is LayoutKind {
  return Object.hasOwn(layouts, name);
}
