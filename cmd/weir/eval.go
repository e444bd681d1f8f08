package main

// evalCmd judges what decides by data whose right answers are known.
type evalCmd struct {
	Cascade    evalCascadeCmd    `cmd:"" help:"Judge policies by recorded outcomes: accuracy, cost, escalations, beside baselines."`
	Classifier evalClassifierCmd `cmd:"" help:"Judge the classifier's model on labelled prompts."`
}
