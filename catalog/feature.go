package catalog

import (
	"encoding/json"

	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/task"
)

const classAuto = "auto" // in the file; an empty Feature.Class in Go

func readFeature(name string, o *object) Feature {
	f := Feature{
		Name:         name,
		System:       o.text("system", 0),
		Context:      o.texts("context", 0),
		Examples:     readExamples(o),
		OutputSchema: readSchema(o),
		Validators:   readValidators(o),
		Class:        readClass(o),
		Cascade:      o.some("cascade", 0),
		Lane:         task.Lane(o.word("lane", string(task.LaneNow), string(task.LaneNow), string(task.LaneBatch))),
		Success:      Success(o.word("success", string(SuccessValidated), string(SuccessValidated), string(SuccessOutcome))),
		RepairHint:   o.flag("repair_hint"),
		Cache:        Cache(o.word("cache", string(CacheAuto), caches()...)),
		Effort:       o.word("effort", "", efforts()...),
		Temperature:  o.upTo("temperature", maxTemperature),
		Refusal: Policy(o.word("refusal", string(RefusalEscalate),
			string(RefusalEscalate), string(RefusalSideways), string(RefusalFail))),
		WhenAway: Away(o.word("when_away", string(AwaySideways),
			string(AwaySideways), string(AwayEscalate), string(AwayWait))),
	}
	f.MinSuccess = o.upTo("min_success", 1)
	f.Agree = o.count("agree", 0, minAgree, maxAgree)
	if share := o.upTo("shadow_share", 1); share != nil {
		f.ShadowShare = *share
	}
	f.Translate = readTranslate(o)
	readBounds(&f, o)
	return f
}

func readBounds(f *Feature, o *object) {
	f.MaxOutputTokens = o.count("max_output_tokens", DefaultMaxOutputTokens, 1, maxOutputTokens)
	f.MaxAttempts = o.count("max_attempts", DefaultMaxAttempts, 1, maxAttempts)
	f.MaxCost = o.money("max_cost_usd", 1)
	if cost := o.money("failure_cost_usd", 0); cost != nil {
		f.FailureCost = *cost
	}
	f.Retention = o.duration("retention", DefaultRetention, minRetention, maxRetention)
	f.Weight = o.count("weight", DefaultWeight, 1, maxWeight)
	f.CallTimeout = o.duration("call_timeout", 0, minTimeout, maxTimeout)
}

func readClass(o *object) task.Class {
	word := o.word("class", classAuto, string(task.L1), string(task.L2), string(task.L3), classAuto)
	if word == classAuto {
		return ""
	}
	return task.Class(word)
}

func readSchema(o *object) json.RawMessage {
	n := o.get("output_schema")
	if n == nil || isNull(n) {
		return nil
	}
	return canonicalJSON(n, o.at("output_schema"), o.r)
}

func readValidators(o *object) []Validator {
	n := o.get("validators")
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.r.addAt(n.Line, o.at("validators"), "is %s; it must be a list, such as [{type: not_empty}]", kindOf(n))
		return nil
	}
	var out []Validator
	for i, item := range n.Content {
		path := index(o.at("validators"), i)
		o.r.see(path, item.Line)
		out = append(out, readValidator(item, path, o.r))
	}
	return out
}

// readValidator takes every key but type as a parameter; the validator itself knows which ones it has.
func readValidator(n *yaml.Node, path string, r *report) Validator {
	if isNull(n) {
		r.add(path, "is empty; name the validator, such as {type: not_empty}")
		return Validator{}
	}
	params := canonicalJSON(n, path, r, "type")
	if n.Kind != yaml.MappingNode {
		return Validator{}
	}
	o := readObject(n, path, newReport()) // what is wrong with the mapping itself is noted already
	o.r = r
	o.require("type", "name the validator, such as enum")
	v := Validator{Type: o.text("type", MaxNameChars), Params: params}
	if o.has("type") && isText(o.values["type"]) && !validName(v.Type) {
		r.add(o.at("type"), "is no name of a validator")
	}
	return v
}
