import type { Problem } from "../../model/problem";

/** The nodes that this run's checks have seen, by address. */
export class NodeAddresses {
  private readonly declared = new Map<string, string>();

  /** A node that two resources of one program declare: known before the first of them has touched it. */
  twiceDeclared(address: string, urn: string): Problem[] {
    const other = this.declared.get(address);
    this.declared.set(address, urn);
    if (other === undefined || other === urn) {
      return [];
    }
    return [
      {
        code: "NODE_TWICE",
        text: `connection: ${address} is the node of ${nameOf(other)} already, and here it is that of ${nameOf(urn)}; two resources would undo each other's work, so take one of them out.`,
      },
    ];
  }
}

function nameOf(urn: string): string {
  return `"${urn.split("::").slice(3).join("::")}"`;
}
