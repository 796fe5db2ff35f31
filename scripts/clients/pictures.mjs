// Asks a gateway for pictures by OpenAI's client: one line of JSON on standard input is a call, its outcome one line on
// standard output. A call is {"key", "method": "generate" | "edit" | "models", "body", "headers"}; pictures to edit are base64.

import { createInterface } from "node:readline";
import OpenAI, { toFile } from "openai";

const baseURL = process.argv[2];

async function outcome({ key, method, body, headers }) {
  const client = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 });
  if (method === "models") {
    const page = await client.models.list();
    return { models: page.data.map((model) => model.id) };
  }
  if (method === "edit") {
    const files = await Promise.all(
      body.image.map((text, at) => toFile(Buffer.from(text, "base64"), `${at}.png`, { type: "image/png" })),
    );
    body = { ...body, image: files.length === 1 ? files[0] : files };
  }
  const found = await client.images[method](body, { headers });
  if (!body.stream) return found;
  const events = [];
  for await (const event of found) events.push({ type: event.type, bytes: event.b64_json?.length ?? 0 });
  return { events };
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = await outcome(JSON.parse(line));
  } catch (error) {
    const { status, type, param, code, requestID } = error;
    said = { error: error.constructor.name, status, type, param, code, requestID, message: error.message };
  }
  console.log(JSON.stringify(said));
}
