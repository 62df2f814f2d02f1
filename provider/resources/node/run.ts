import { NodeAddresses } from "./addresses";
import { NodeCoverages } from "./coverage";
import { Declarations } from "./declaration";
import { LookReviews } from "./lookReview";
import { NewOwners } from "./owner";
import { Prepulls } from "./prepull";
import { RunLedger } from "./runLedger";

/**
 * What the operations on all nodes of one deployment share: what a check hands to the create or update that follows it,
 * and what is said of the run as a whole. A deployment has one provider process, and so one of these.
 */
export class NodeRun {
  readonly declarations = new Declarations();
  readonly addresses = new NodeAddresses();
  readonly owners = new NewOwners();
  readonly ledger = new RunLedger();
  readonly looks = new LookReviews();
  readonly coverages = new NodeCoverages();
  readonly prepulls = new Prepulls();
}
