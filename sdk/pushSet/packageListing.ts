import * as pulumi from "@pulumi/pulumi";

import type { Listing } from "../../provider/resources/pushSet/listing";

/** How a push set's package is listed: in a preview it is read for that, if need be. */
export function packageListing(list: boolean | undefined): Listing {
  if (!pulumi.runtime.isDryRun() || list === false) {
    return { read: false };
  }
  return {
    read: true,
    // On the stack's line: the resource has none before its package is known. Ephemeral: the next one replaces it.
    progress: (text) => void pulumi.log.info(text, undefined, 0, true),
  };
}
