package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
)

// scene is the processes of one round.
type scene struct {
	postgres  int    // its process number
	dir       string // of NATS
	logLevel  slog.Level
	stderr    io.Writer
	processes []*process
	worker    *process // the variant
	driver    *process // who is asked to run tasks through it and times them
}

// sample is what one round measured.
type sample struct {
	PerSecond float64 `json:"per_s"`
	Tasks     int     `json:"tasks"`
	Seconds   float64 `json:"seconds"`
	// CPUMicros is the CPU time of each process for one task, in microseconds; empty where the system does not tell.
	CPUMicros map[string]float64 `json:"cpu_us_per_task,omitempty"`
	// OtherCores is the CPU time that everything else on the machine used meanwhile, in cores.
	OtherCores float64 `json:"other_cores"`
}

// open starts what a variant needs: for River only itself, for the pipelines NATS, the models and the load as well.
func (b *bench) open(ctx context.Context, v variant, db *database) (*scene, error) {
	s := &scene{postgres: b.cluster.server.Pid(), logLevel: b.options.level(), stderr: b.stderr}
	var err error
	if s.dir, err = os.MkdirTemp(b.dir, "nats-"); err != nil { // a round that is repeated must not find the old streams
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if err = s.start(ctx, v, db); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *scene) start(ctx context.Context, v variant, db *database) (err error) {
	if v.role == roleRiver {
		s.worker, err = s.spawn(ctx, v.role, spec{DSN: db.dsn})
		s.driver = s.worker
		return err
	}
	nats, err := s.spawn(ctx, roleNATS, spec{Dir: s.dir})
	if err != nil {
		return err
	}
	model, err := s.spawn(ctx, roleModel, spec{})
	if err != nil {
		return err
	}
	if s.worker, err = s.spawn(ctx, v.role, spec{DSN: db.dsn, NATS: nats.address, Model: model.address}); err != nil {
		return err
	}
	s.driver, err = s.spawn(ctx, roleLoad, spec{NATS: nats.address, Envelopes: v.envelopes})
	return err
}

func (s *scene) spawn(ctx context.Context, role string, sp spec) (*process, error) {
	sp.LogLevel = int(s.logLevel)
	p, err := spawn(ctx, role, sp, s.stderr)
	if err != nil {
		return nil, err
	}
	s.processes = append(s.processes, p)
	return p, nil
}

// run puts so many tasks through the variant.
func (s *scene) run(tasks int) (reply, error) {
	done, err := s.driver.ask(request{Do: doRun, Tasks: tasks})
	if err == nil && done.Done != tasks {
		err = fmt.Errorf("%d of %d tasks came back", done.Done, tasks)
	}
	return done, err
}

// measure is run with the clocks read before and after.
func (s *scene) measure(tasks int) (sample, error) {
	before := s.cpu()
	done, err := s.run(tasks)
	if err != nil {
		return sample{}, err
	}
	micros, others := s.cpu().since(before, tasks)
	return sample{
		PerSecond: float64(done.Done) / done.Seconds, Tasks: tasks, Seconds: done.Seconds, CPUMicros: micros, OtherCores: others,
	}, nil
}

// cpu reads the clocks of every process.
func (s *scene) cpu() clocks {
	pids := map[string]int{}
	for _, p := range s.processes {
		pids[p.role] = p.cmd.Process.Pid
	}
	return readClocks(pids, s.postgres)
}

// close ends the processes, the last started first.
func (s *scene) close() error {
	var errs []error
	for _, p := range slices.Backward(s.processes) {
		errs = append(errs, p.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
