// A conversation with the API through `openapi-fetch`, typed by `openapi-typescript`. BASE is the API's URL, ADMIN a token.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const headers = { Authorization: `Bearer ${process.env.ADMIN}` };
// Dry runs have a media type of their own.
const api = createClient<paths, "application/json">({ baseUrl: process.env.BASE ?? "", headers });

async function names(): Promise<string[]> {
  const found: string[] = [];
  for (let after: string | null | undefined; ; ) {
    const query = after ? { limit: 2, after } : { limit: 2 };
    const { data } = await api.GET("/api/v1/groups", { params: { query } });
    assert(data);
    found.push(...data.groups.map((group) => group.name));
    after = data.pageInfo.endCursor;
    if (!data.pageInfo.hasNextPage) return found;
  }
}

const before = await names();
const body = { name: "TypeScript", external_id: "typescript", email: null };
const { data: group, response } = await api.POST("/api/v1/groups", { body });
assert(group);
assert.equal(response.status, 201);
assert.equal((await names()).length, before.length + 1);

const path = { id: group.id, accountId: "acc-123" };
const { data: member } = await api.PUT("/api/v1/groups/{id}/members/{accountId}", { params: { path } });
assert.equal(member?.membership_type, "direct");
const { data: members } = await api.GET("/api/v1/groups/{id}/members", { params: { path, query: { search: "doe" } } });
assert.deepEqual(members?.members.map((one) => one.name), ["john.doe"]);
const { data: paths } = await api.GET("/api/v1/groups/{id}/members/{accountId}/paths", { params: { path } });
assert.equal(paths?.paths[0]?.steps[0]?.group_id, group.id);

const { error } = await api.POST("/api/v1/groups", { body });
assert(error && "error" in error);
const code: components["schemas"]["ErrorCode"] = error.error.code;
assert.equal(code, "CONFLICT");
assert(error.error.message.includes(group.id));

const deleted = await api.DELETE("/api/v1/groups/{id}", { params: { path } });
assert.equal(deleted.response.status, 204);
console.log("openapi-fetch: the conversation ends as it should");
