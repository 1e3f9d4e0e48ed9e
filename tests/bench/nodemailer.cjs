// The peer nodemailer: pooled connections, each message built from its text and its HTML.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const [directory, lettersPath, server, connections, count] = process.argv.slice(2);
const nodemailer = createRequire(directory + "/")("nodemailer");
const letters = JSON.parse(readFileSync(lettersPath, "utf8"));
const port = Number(server.split(":").pop());
const host = server.slice(0, server.lastIndexOf(":"));
const origin = "https://sos.bench.example.org";
const pool = nodemailer.createTransport({
  pool: true, host, port, secure: false, ignoreTLS: true,
  maxConnections: Number(connections), maxMessages: Infinity,
});

function compose(number) {
  const letter = letters[number % letters.length];
  const token = String(number).padStart(24, "0");
  const fill = (text) => text.replaceAll("{name}", `Amina Ouédraogo ${number}`).replaceAll("{link}", `${origin}/s/${token}`);
  return {
    from: "System of Solidarity <alerts@bench.example.org>", to: `c${number}@bench.example.org`,
    subject: letter.subject, text: fill(letter.text), html: fill(letter.html),
    messageId: `<${token}@sos.bench.example.org>`,
    headers: { "Auto-Submitted": "auto-generated", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" },
    list: { unsubscribe: { url: `${origin}/u/${token}` } },
  };
}

let next = 0;
async function lane() {
  while (next < Number(count)) await pool.sendMail(compose(next++));
}

async function main() {
  const began = process.hrtime.bigint(), before = process.cpuUsage();
  await Promise.all(Array.from({ length: 2 * Number(connections) }, lane));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9, used = process.cpuUsage(before);
  console.log(JSON.stringify({ seconds, cpu_seconds: (used.user + used.system) / 1e6 }));
  pool.close();
}

main();
