// Tells which jobs GitLab would make of a configuration in given situations.
//
// Standard input: [{variables, unset, schema}] about the project in the working directory; standard output: an answer for
// each, {error} or {created, jobs: [{name, stage, when, allow_failure}]}. The configuration, its includes and its rules
// are read by gitlab-ci-local. Two things that it leaves out are added here: `workflow:rules`, and that GitLab makes no pipeline of
// nothing but .pre and .post jobs.
import {readFileSync} from "node:fs";

const modules = new URL("node_modules/gitlab-ci-local/src/", import.meta.url);
const {Argv} = await import(new URL("argv.js", modules));
const {Parser} = await import(new URL("parser.js", modules));
const {Utils} = await import(new URL("utils.js", modules));
const {WriteStreamsMock} = await import(new URL("write-streams.js", modules));

// For `rules:changes`, which none of the configurations has.
const gitData = {branches: {default: "main"}};

async function look({variables, unset, schema}) {
  const streams = new WriteStreamsMock();
  const variable = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const argv = await Argv.build({variable, unsetVariable: unset, jsonSchemaValidation: schema}, streams);
  const parser = await Parser.create(argv, streams, 1, []);
  const rules = parser.gitlabData.workflow?.rules;
  const wanted = !rules || Utils.getRulesResult({argv, cwd: argv.cwd, rules, variables}, gitData).when !== "never";
  const jobs = [...parser.jobs]
    .filter((job) => job.when !== "never")
    .sort((one, other) => parser.stages.indexOf(one.stage) - parser.stages.indexOf(other.stage))
    .map(({name, stage, when, allowFailure}) => ({name, stage, when, allow_failure: allowFailure}));
  const created = wanted && jobs.some((job) => ![".pre", ".post"].includes(job.stage));
  return {created, jobs};
}

// It warns of what it does not check, on standard output.
console.log = console.error;
const answers = [];
for (const asked of JSON.parse(readFileSync(0, "utf8"))) {
  answers.push(await look(asked).catch((error) => ({error: error.message})));
}
process.stdout.write(JSON.stringify(answers));
