import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { imagePlacesIn, imagesIn } from "../../../sdk";

const valueOf = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));
const isSecret = (output: pulumi.Output<unknown>): Promise<boolean> =>
  (output as unknown as { isSecret: Promise<boolean> }).isSecret;
const isKnown = (output: pulumi.Output<unknown>): Promise<boolean> =>
  (output as unknown as { isKnown: Promise<boolean> }).isKnown;

/** As @pulumi/kubernetes makes them: the manifest's fields are outputs, some of which the cluster gives. */
class Deployment extends pulumi.CustomResource {
  declare readonly kind: pulumi.Output<string>;

  constructor(name: string, args: { spec: unknown }) {
    const fixed = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name }, status: undefined };
    super("kubernetes:apps/v1:Deployment", name, { ...fixed, ...args });
  }
}

/** As its charts are: a component with an output of resources. */
class Chart extends pulumi.ComponentResource {
  readonly resources: pulumi.Output<unknown>;

  constructor(name: string, resources: (chart: Chart) => unknown) {
    super("kubernetes:helm.sh/v4:Chart", name);
    this.resources = pulumi.output(resources(this) as object);
  }
}

function podSpec(image: pulumi.Input<string>): {
  template: { spec: { containers: { image: pulumi.Input<string> }[] } };
} {
  return { template: { spec: { containers: [{ image }] } } };
}

describe("imagesIn, of a program", () => {
  const notYet = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
  const mocks = (preview: boolean): Promise<void> =>
    pulumi.runtime.setMocks(
      {
        newResource: ({ name, inputs }) => {
          const given = inputs as { metadata?: object };
          const metadata = { ...given.metadata, uid: preview ? notYet : "1" };
          return { id: name, state: { ...given, metadata, status: preview ? notYet : {} } };
        },
        call: () => ({}),
      },
      "project",
      "stack",
      preview,
    );
  beforeEach(() => mocks(false));
  afterEach(() => pulumi.runtime.disconnect());

  it("S2: takes objects with outputs in them, texts that are outputs, and lists of both", async () => {
    const object = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ image: pulumi.output("a/b:1") }] } };
    const text = pulumi.output("apiVersion: v1\nkind: Pod\nspec: { containers: [{ image: 'a/c:1' }] }\n");
    const many = pulumi.output([{ ...object, spec: { containers: [{ image: "a/d" }] } }]);
    const found = imagesIn([object, { text }, many]);
    assert.deepEqual(await valueOf(found), ["docker.io/a/b:1", "docker.io/a/c:1", "docker.io/a/d:latest"]);
  });

  it("S2: takes resources, and charts of resources", async () => {
    const web = new Deployment("web", { spec: podSpec("a/web:1") });
    const listed = new Chart("one", () => [new Deployment("b", { spec: podSpec("a/b:1") })]);
    const named = new Chart("two", () => ({
      "apps/v1/Deployment::c": new Deployment("c", { spec: podSpec("a/c:1") }),
    }));
    const found = await valueOf(imagePlacesIn([web, listed, named, pulumi.output(web)]));
    const field = "spec.template.spec.containers[0].image";
    assert.deepEqual(found, [
      { image: "docker.io/a/b:1", places: [{ source: "source[1]", kind: "Deployment", name: "b", field }] },
      { image: "docker.io/a/c:1", places: [{ source: "source[2]", kind: "Deployment", name: "c", field }] },
      {
        image: "docker.io/a/web:1",
        places: ["source[0]", "source[3]"].map((source) => ({ source, kind: "Deployment", name: "web", field })),
      },
    ]);
  });

  it("S2: in a preview what the cluster gives is not waited for, what is not known of the images is", async () => {
    await mocks(true);
    const web = new Deployment("web", { spec: podSpec("a/web:1") });
    assert.deepEqual(await valueOf(imagesIn(web)), ["docker.io/a/web:1"]);
    assert.equal(await isKnown(imagesIn(new Deployment("later", { spec: podSpec(notYet) }))), false);
  });

  it("is no secret, even beside one", async () => {
    const env = [{ name: "TOKEN", value: pulumi.secret("hunter2") }];
    const found = imagesIn({ kind: "Pod", spec: { containers: [{ image: "a/b:1", env }] } });
    assert.deepEqual([await isSecret(found), await valueOf(found)], [false, ["docker.io/a/b:1"]]);
  });

  it("errors end the program by their code", async () => {
    const source = imagesIn({ text: "kind: Pod\nspec: { containers: [{ image: '{{ .image }}' }] }\n", name: "web" });
    // As for a resource's arguments: Pulumi writes the argument's name before the message of what it finds there.
    const error = await pulumi.runtime.serializeProperties("images", { source }).catch((thrown: unknown) => thrown);
    assert.match((error as Error).message, /^web:2, document 1 .*\[IMAGES_IN_TEMPLATE\]$/s);
    assert.equal((error as { code?: string }).code, "IMAGES_IN_TEMPLATE");
    assert.equal((error as { __pulumiRunError?: boolean }).__pulumiRunError, true);
  });
});
