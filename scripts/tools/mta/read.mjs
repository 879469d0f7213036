// Reads mails with programs that others wrote: mailauth judges signatures and DMARC, and
// postal-mime finds the parts. Standard input is {"zone": {name: [TXT…]}, "mails": [base64…]},
// standard output an array of what was found.

import { authenticate } from "mailauth";
import PostalMime from "postal-mime";
import { text } from "node:stream/consumers";

const { zone, mails } = JSON.parse(await text(process.stdin));

/** resolver is DNS: the zone, and nothing else. */
const resolver = async (name, type) => {
  if (type === "TXT" && zone[name]) return zone[name].map((record) => [record]);
  throw Object.assign(new Error(`${type} ${name}`), { code: "ENOTFOUND" });
};

const found = [];
for (const mail of mails) {
  const bytes = Buffer.from(mail, "base64");
  const judged = await authenticate(bytes, {
    resolver, ip: "127.0.0.1", helo: "mta.example.org", sender: "news@example.org", mta: "mx.example.com", disableArc: true, disableBimi: true,
  });
  const parsed = await PostalMime.parse(bytes);
  found.push({
    signatures: judged.dkim.results.map((r) => ({
      result: r.status.result, comment: r.status.comment || "", aligned: r.status.aligned || "",
      algorithm: r.algo, domain: r.signingDomain, signed: (r.signingHeaders?.keys ?? "").split(/:\s*/).map((k) => k.trim()),
    })),
    dmarc: judged.dmarc?.status?.result ?? "",
    subject: parsed.subject, from: parsed.from, to: parsed.to, messageID: parsed.messageId, date: parsed.date,
    text: parsed.text, html: parsed.html, attachments: parsed.attachments.length,
  });
}
process.stdout.write(JSON.stringify(found));
