import { containerdLayout } from "./containerd";
import type { LayoutPaths } from "./custom";
import { customLayout } from "./custom";
import { k0sLayout } from "./k0s";
import { k3sLayout } from "./k3s";
import type { NodeLayout } from "./layout";
import { microk8sLayout } from "./microk8s";
import { rke2Layout } from "./rke2";

/** Kinds of nodes that can be named. */
export type LayoutKind = "containerd" | "k3s" | "rke2" | "k0s" | "microk8s";

/** Where containerd is on a node: found there ("auto"), a kind by its name, or any other place by its paths. */
export type LayoutChoice = "auto" | LayoutKind | LayoutPaths;

const layouts: Readonly<Record<LayoutKind, NodeLayout>> = {
  containerd: containerdLayout,
  k3s: k3sLayout,
  rke2: rke2Layout,
  k0s: k0sLayout,
  microk8s: microk8sLayout,
};

/** What `layout` may be, but for paths. */
export const layoutNames: readonly string[] = ["auto", ...Object.keys(layouts)];

export function isLayoutName(name: string): name is "auto" | LayoutKind {
  return layoutNames.includes(name);
}

/** The usual one: of a node that has none of the kinds, and of what was recorded before there were others. */
export const usualLayout: NodeLayout = containerdLayout;

/** Those that a node may have, the usual one first: one, unless it is to be found there. */
export function candidates(choice: LayoutChoice): readonly NodeLayout[] {
  if (typeof choice === "object") {
    return [customLayout(choice)];
  }
  return choice === "auto" ? Object.values(layouts) : [layouts[choice]];
}

/**
 * A layout as it is on a node.
 *
 * @param data Where its program keeps its files there.
 * @param link A symbolic link on the way there.
 */
export function layoutAt(layout: NodeLayout, data: string | undefined, link: string | undefined): NodeLayout {
  const { usual } = layout.dataDir ?? {};
  const moved = (path: string): string =>
    usual !== undefined && data !== undefined && path.startsWith(`${usual}/`) ? data + path.slice(usual.length) : path;
  return {
    ...layout,
    configPath: moved(layout.configPath),
    hostsDir: moved(layout.hostsDir),
    binary: moved(layout.binary),
    ...(link === undefined ? {} : { link }),
  };
}

/** What a choice came to on a node, for where it is asked for again: what was found stays, whatever comes beside it. */
export function foundChoice(choice: LayoutChoice = "auto", found: string = usualLayout.kind): LayoutChoice {
  return choice === "auto" && isKind(found) ? found : choice;
}

function isKind(name: string): name is LayoutKind {
  return Object.hasOwn(layouts, name);
}
