package main

// evalCmd judges what decides by data whose right answers are known.
type evalCmd struct {
	Cascade    evalCascadeCmd    `cmd:"" help:"Judge policies by recorded outcomes: accuracy, cost, escalations, beside baselines."`
	Router     evalRouterCmd     `cmd:"" help:"Judge how well prompts alone tell which of two models they need: APGR and CPT."`
	Report     evalReportCmd     `cmd:"" help:"Work out the figures of docs/evaluation.md."`
	Classifier evalClassifierCmd `cmd:"" help:"Judge the classifier's model on labelled prompts."`
}
