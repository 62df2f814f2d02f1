import type { NodeLayout } from "../../containerd/layout/layout";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { layoutNames, usualLayout } from "../../containerd/layout/layouts";
import { NodeError, quoteRemote } from "../nodeError";
import type { Seen } from "./seen";

export function requireOneLayout(node: string, present: readonly { kind: string; unit: string }[]): void {
  if (present.length > 1) {
    const found = present.map((one) => `${one.kind} (${one.unit})`).join(" and ");
    const names = layoutNames.filter((name) => present.some(({ kind }) => kind === name));
    throw new NodeError(
      "NODE_LAYOUT_AMBIGUOUS",
      node,
      `${found} are there, and only one of them is Kubernetes'; ` +
        [
          ...names.map((name) => `say layout: "${name}" if that is the one`),
          "disable the unit of the other (systemctl disable --now)",
        ].join(", or "),
    );
  }
}

/** @param service Properties of the unit, as systemctl shows them. */
export function requireDeclaredLayout(
  node: string,
  service: Readonly<Record<string, string>>,
  { declared, layout }: { declared: LayoutChoice | undefined; layout: NodeLayout },
): void {
  const { kind, units } = layout;
  if (service["LoadState"] === "not-found" && declared === kind && kind !== usualLayout.kind) {
    throw new NodeError(
      "NODE_LAYOUT",
      node,
      `layout: "${kind}" is declared, and the node has no unit ${units.join(" and no ")}; leave layout out, so that what is there is found, or name what is there`,
    );
  }
}

/** @param service Properties of the unit, as systemctl shows them. */
export function requireContainerd(
  node: string,
  seen: Seen,
  service: Readonly<Record<string, string>>,
  { unit, allowDown }: { unit: string; allowDown: boolean },
): void {
  if (!allowDown && service["ActiveState"] === "active" && seen.values["child"] === "no") {
    throw new NodeError(
      "NODE_CONTAINERD_DOWN",
      node,
      `${unit} runs, and no containerd of it does; a controller that runs no pods has none and needs no mirror, else journalctl -u ${shortUnit(unit)} says why`,
    );
  }
  if (!allowDown && (seen.values["binary"] ?? "") === "") {
    throw new NodeError(
      "NODE_NO_CONTAINERD",
      node,
      `containerd is not installed (no containerd on the PATH of root, nor in ${unit}); ` +
        "install it first, this provider only configures it",
    );
  }
  if (seen.values["systemd"] !== "yes") {
    throw new NodeError(
      "NODE_NO_SYSTEMD",
      node,
      "systemd does not run there, and this provider restarts containerd as the systemd unit " +
        `${unit}; it cannot configure a node with another init`,
    );
  }
  if (allowDown) {
    return;
  }
  if (service["LoadState"] === "masked") {
    const name = shortUnit(unit);
    throw new NodeError(
      "NODE_CONTAINERD_DOWN",
      node,
      `${unit} is masked, so containerd cannot be started there; ` +
        `allow it again (systemctl unmask ${name}, systemctl start ${name}) and run again`,
    );
  }
  if (service["LoadState"] !== "loaded") {
    throw new NodeError(
      "NODE_NO_CONTAINERD",
      node,
      `there is no systemd unit ${unit} (${quoteRemote(seen.values["service"] ?? "", 200)}); ` +
        "where containerd runs as another unit, layout: { configPath, hostsDir, socketPath, unit } says where (docs/nodes.md)",
    );
  }
  if (service["ActiveState"] !== "active") {
    const name = shortUnit(unit);
    throw new NodeError(
      "NODE_CONTAINERD_DOWN",
      node,
      `containerd is not running (${service["ActiveState"] ?? "unknown"}, result ${service["Result"] ?? "unknown"}); ` +
        `bring it up first (systemctl status ${name}, journalctl -u ${name}), so that what was broken before is not taken for our doing`,
    );
  }
}

/** As people type it. */
function shortUnit(unit: string): string {
  return unit.replace(/\.service$/, "");
}
