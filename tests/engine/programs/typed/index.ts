// Run through the SDK's own TypeScript loader: uses what only a compiler understands.
import * as pulumi from "@pulumi/pulumi";

enum Tone {
  Soft = "soft",
}

const config = new pulumi.Config();
const count: number = config.requireNumber("count");

const provider: pulumi.dynamic.ResourceProvider = {
  async configure({ config: given }) {
    // Kept on the provider itself: a serialized provider has no module around it.
    (this as { suffix?: string }).suffix = given.get("suffix") ?? "";
  },
  async create(inputs) {
    const { suffix } = this as { suffix?: string };
    return { id: "greeting", outs: { ...inputs, spoken: `${inputs.text}${suffix}` } };
  },
};

class Greeting extends pulumi.dynamic.Resource {
  declare readonly spoken: pulumi.Output<string>;
  constructor(name: string, text: string) {
    super(provider, name, { text, tone: Tone.Soft, spoken: undefined });
  }
}

export const spoken = new Greeting("greeting", Array.from({ length: count }, () => config.require("greeting")).join(", ")).spoken;
