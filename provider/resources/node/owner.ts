import type { OperationContext } from "../../model/context";
import { newToken } from "../../model/token";
import type { Holder, NodeOwner } from "../../node";
import { isToken } from "../../node";
import type { NodeContainerdOutputs } from "./state";

type Tokened = Pick<NodeContainerdOutputs, "token">;

/** The resources that this run creates. */
export class NewOwners {
  /** Tokens that were made: what replaces a resource of this run has one of them. */
  private readonly made = new Set<string>();
  /** URNs of creates that leave their node as it is; what they replace leaves it alone too. */
  private readonly held = new Set<string>();

  /**
   * Who a resource is that is created now. What it replaces, if anything, is known by its URN alone: where a
   * replacement is asked for (`--replace`, `state taint`) Pulumi tells nothing of the old state before the new resource
   * is made.
   */
  create(context: OperationContext): NodeOwner {
    const token = newToken();
    this.made.add(token);
    return { urn: urnOf(context), token };
  }

  hold(context: OperationContext): void {
    this.held.add(urnOf(context));
  }

  isReplacedByHeld(context: OperationContext): boolean {
    return this.held.has(urnOf(context));
  }

  isOfThisRun(token: string | undefined): boolean {
    return token !== undefined && this.made.has(token);
  }
}

/** Who a resource is of which there is a state. A state of 0.1.0 gets its token with the first change. */
export function ownerOf({ token }: Tokened, context: Pick<OperationContext, "urn">): NodeOwner {
  const urn = urnOf(context);
  if (isToken(token)) {
    return { urn, token };
  }
  // The node's record may have the URN of then, or, after a rename back and forth, the one of now.
  return { urn, token: newToken(), earlier: [token ?? urn, urn] };
}

function urnOf(context: Pick<OperationContext, "urn">): string {
  return context.urn ?? "pulumi-registry-mirror";
}

/** The message for a node that now belongs to another resource. */
export function passedOnText(holder: Holder, owner: string | undefined): string | undefined {
  switch (holder) {
    case "namesake":
      return (
        `the node has been configured since by another resource of the same name, ${owner}: ` +
        "one that replaced this one, or one of another state"
      );
    case "other":
      return `the node belongs to ${owner} now`;
    default:
      return undefined;
  }
}

/** The way out of a node that nothing is to have any more. */
export const restoreLater =
  "Where nothing else is to have it: pulumi up takes it over (with adopt: true from another name), and a destroy after that " +
  "gives it back what it had.";

/** The same, seen from the other side. */
export function takenOverText(holder: Holder, owner: string | undefined): string | undefined {
  switch (holder) {
    case "namesake":
      return (
        "the node was configured under the same name before, by a resource that is being replaced, whose state was " +
        "lost (by an up that was interrupted, say), or that is in another state; with its originals it is this one's " +
        "now, and the other's delete leaves it alone"
      );
    case "other":
      return `taken over from ${owner}, as adopt says; its delete leaves the node alone`;
    default:
      return undefined;
  }
}
