import * as pulumi from "@pulumi/pulumi";

import type { ClusterVerification } from "../../provider/verify/clusterVerification";
import type { NodeVerification } from "../../provider/verify/nodeVerification";
import { renderReport } from "../../provider/verify/report";
import { requireReportNames } from "../../provider/verify/reportNames";
import type { Verifications } from "../../provider/verify/verifications";
import { plainErrors } from "../problems";
import type { ReportArgs } from "./pushSets";
import { liftPushSets } from "./pushSets";

/**
 * A verification as Markdown, to be read, sent or kept with a change's papers: one table of nodes and hosts, one of
 * images, and the findings. Digests are shortened to twelve characters; the outputs hold them whole.
 *
 * Rows that say the same of several nodes are one row that names them all, so that a thousand equal nodes fit on a
 * screen.
 *
 * With `pushSets` it says what was pushed, too: a line for each registry with how many images it has, which of them are
 * signed by which key and have the public registry's digest, what failed, and why; up to 20 images by name.
 *
 * Without outputs among the arguments use `renderReport`, which returns the text at once.
 */
export function verificationReport(
  verification: pulumi.Input<
    Verifications | readonly pulumi.Input<NodeVerification | ClusterVerification | undefined>[]
  >,
  options: ReportArgs = {},
): pulumi.Output<string> {
  plainErrors(() => requireReportNames(options, [], "verificationReport"));
  const { pushSets } = options;
  return pulumi
    .all([verification, liftPushSets(pushSets)])
    .apply(([value, pushed]) => renderReport(value, { pushSets: pushed }));
}
