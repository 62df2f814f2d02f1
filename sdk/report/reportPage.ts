import * as pulumi from "@pulumi/pulumi";

import type { ClusterVerification } from "../../provider/verify/clusterVerification";
import type { NodeVerification } from "../../provider/verify/nodeVerification";
import { renderReportPage } from "../../provider/verify/page/renderReportPage";
import { writePage } from "../../provider/verify/page/writePage";
import { requireReportNames } from "../../provider/verify/reportNames";
import type { Verifications } from "../../provider/verify/verifications";
import { plainErrors } from "../problems";
import type { ReportArgs } from "./pushSets";
import { liftPushSets } from "./pushSets";

/** How a page is headed, what it has beside the verification, and where it is written. */
export interface ReportPageArgs extends ReportArgs {
  /** Heading and title of the document. Default: "Registry mirror verification". */
  title?: pulumi.Input<string | undefined>;
  /**
   * A file on the machine that runs Pulumi, which every `up` writes: `report.html`. A relative path counts from the
   * program's folder, whose parent folders must be there. A preview writes nothing. Default: none is written.
   */
  path?: pulumi.Input<string | undefined>;
}

/**
 * A verification as one HTML document, to be opened, sent or printed: nodes and hosts as a matrix, coverage with its
 * gaps, where containerd asks, image digests, findings; with `pushSets` what was pushed, image by image; with filters. It needs nothing else: no network, no other file,
 * and no script but its own, without which only the filters are missing. The same values give the same document.
 *
 * An output of a thousand nodes is large in the state; with `path` there is no need to export it.
 *
 * Without outputs among the arguments use `renderReportPage`, which returns the text at once.
 *
 * @throws MirrorError `FILE_NOT_WRITTEN` where the file cannot be written, during `up`
 */
export function reportPage(
  verification: pulumi.Input<
    Verifications | readonly pulumi.Input<NodeVerification | ClusterVerification | undefined>[]
  >,
  options: ReportPageArgs = {},
): pulumi.Output<string> {
  plainErrors(() => requireReportNames(options, ["title", "path"], "reportPage"));
  const { title, path, pushSets } = options;
  return pulumi.all([verification, title, path, liftPushSets(pushSets)]).apply(([value, heading, file, pushed]) => {
    const page = renderReportPage(value, { pushSets: pushed, ...(heading === undefined ? {} : { title: heading }) });
    if (file !== undefined && !pulumi.runtime.isDryRun()) {
      plainErrors(() => writePage(file, page));
    }
    return page;
  });
}
