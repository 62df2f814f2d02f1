/** An update of a push set in a process of its own, to be killed: the state and the wire come on standard input. */
import { text } from "node:stream/consumers";

import { imagePushSet } from "../../../../provider/resources/pushSet/operations";

async function main(): Promise<void> {
  const { olds, wire } = JSON.parse(await text(process.stdin)) as { olds: object; wire: object };
  const checked = await imagePushSet.check?.(olds, wire);
  await imagePushSet.update?.("id", olds, checked?.inputs);
}

void main();
