package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	compose "github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

// root is the top of the repository, as seen from this package.
const root = "../.."

const (
	composeUID  = "65532:65532"
	weirImage   = "weir"
	weirSecret  = "0123456789abcdef"
	otherSecret = "fedcba9876543210"
)

// passwords are what docker-compose.yml asks the environment for.
func passwords() []string {
	return []string{
		"POSTGRES_PASSWORD=" + weirSecret, "NATS_PASSWORD=" + weirSecret, "NATS_PRODUCER_PASSWORD=" + otherSecret,
	}
}

func loadCompose(t *testing.T, env []string) (*types.Project, error) {
	t.Helper()
	options, err := compose.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, compose.WithEnv(env))
	require.NoError(t, err)
	return options.LoadProject(t.Context())
}

func mustLoadCompose(t *testing.T) *types.Project {
	t.Helper()
	project, err := loadCompose(t, passwords())
	require.NoError(t, err)
	return project
}

func TestCompose_Services(t *testing.T) {
	t.Parallel()
	project := mustLoadCompose(t)

	require.Equal(t, []string{"migrate", "nats", "postgres", "weir"}, project.ServiceNames())
	require.Equal(t, types.ShellCommand{"migrate"}, project.Services["migrate"].Command)
	require.Equal(t, types.RestartPolicyNo, project.Services["migrate"].Restart)
	require.Equal(t, "run", project.Services["weir"].Command[0])

	after := conditions(project.Services["weir"])
	require.Equal(t, map[string]string{
		"migrate":  types.ServiceConditionCompletedSuccessfully,
		"postgres": types.ServiceConditionHealthy,
		"nats":     types.ServiceConditionHealthy,
	}, after)
	require.Equal(t, map[string]string{"postgres": types.ServiceConditionHealthy}, conditions(project.Services["migrate"]))
	for _, name := range []string{"postgres", "nats"} {
		require.NotNil(t, project.Services[name].HealthCheck, "%s is waited for until it is healthy", name)
		require.NotEmpty(t, project.Services[name].Volumes, "%s keeps its data", name)
	}
}

func conditions(s types.ServiceConfig) map[string]string {
	after := map[string]string{}
	for name, d := range s.DependsOn {
		after[name] = d.Condition
	}
	return after
}

func TestCompose_AsksForEveryPassword(t *testing.T) {
	t.Parallel()
	for i, missing := range passwords() {
		name, _, _ := strings.Cut(missing, "=")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadCompose(t, slices.Delete(slices.Clone(passwords()), i, i+1))
			require.ErrorContains(t, err, "set "+name)
		})
	}
}

func TestCompose_Images(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z]+:[0-9]+(\.[0-9]+)*(-[a-z]+)?$`)
	for name, service := range mustLoadCompose(t).Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if service.Build != nil {
				require.Equal(t, weirImage, service.Image)
				return
			}
			require.Regexp(t, pinned, service.Image)
		})
	}
}

// TestCompose_Ports: nothing is reachable from another machine.
func TestCompose_Ports(t *testing.T) {
	t.Parallel()
	for name, service := range mustLoadCompose(t).Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEqual(t, "host", service.NetworkMode)
			for _, port := range service.Ports {
				require.Equal(t, "127.0.0.1", port.HostIP, "port %s", port.Published)
				require.Contains(t, []string{"postgres", "nats"}, name, "only servers are published")
				require.NotEqual(t, uint32(8222), port.Target, "monitoring tells strangers about clients and streams")
			}
		})
	}
}

func TestCompose_WeirHasNoRights(t *testing.T) {
	t.Parallel()
	project := mustLoadCompose(t)
	for _, name := range []string{"migrate", "weir"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := project.Services[name]
			require.Equal(t, composeUID, service.User)
			require.True(t, service.ReadOnly)
			require.False(t, service.Privileged)
			require.Equal(t, []string{"ALL"}, service.CapDrop)
			require.Contains(t, service.SecurityOpt, "no-new-privileges:true")
			for _, volume := range service.Volumes {
				require.True(t, volume.ReadOnly || volume.Target == "/spool", "%s is writable", volume.Target)
			}
		})
	}
	require.Contains(t, strings.Join(project.Services["weir"].Command, " "), "--spool-dir /spool")
}

// TestCompose_Environment: a misspelt variable would be ignored silently.
func TestCompose_Environment(t *testing.T) {
	t.Parallel()
	known := environmentNames(t)
	// the providers that the starter only suggests, in comments, have keys too
	for _, match := range regexp.MustCompile(`key_env: (\w+)`).FindAllStringSubmatch(string(catalog.Default()), -1) {
		known = append(known, match[1])
	}
	project := mustLoadCompose(t)
	for _, name := range []string{"migrate", "weir"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := project.Services[name]
			values := map[string]string{}
			for variable, value := range service.Environment {
				require.Contains(t, known, variable)
				require.NotNil(t, value)
				values[variable] = *value
			}
			_, err := loadConfig(func(variable string) string { return values[variable] })
			require.NoError(t, err)
		})
	}
	for variable := range project.Services["migrate"].Environment {
		require.Contains(t, environmentNames(t), variable, "who migrates needs no provider's key")
	}
}

// environmentNames are the variables that weir reads its configuration from.
func environmentNames(t *testing.T) []string {
	t.Helper()
	var names []string
	_, err := loadConfig(func(name string) string {
		names = append(names, name)
		return ""
	})
	require.NoError(t, err)
	slices.Sort(names)
	return slices.Compact(names)
}

// composeNATS runs the NATS server of docker-compose.yml, on free ports and in a directory of the test's own.
func composeNATS(t *testing.T) *server.Server {
	t.Helper()
	project := mustLoadCompose(t)
	service := project.Services["nats"]
	require.Len(t, service.Configs, 1)
	require.Contains(t, strings.Join(service.Command, " "), service.Configs[0].Target)
	path := filepath.Join(t.TempDir(), "nats.conf")
	require.NoError(t, os.WriteFile(path, []byte(project.Configs[service.Configs[0].Source].Content), 0o600))

	options, err := server.ProcessConfigFile(path)
	require.NoError(t, err)
	require.True(t, options.JetStream)
	require.True(t, options.SyncAlways, "what is acknowledged is on disk")
	require.EqualValues(t, 8<<20, options.MaxPayload)
	require.Contains(t, mountTargets(service), options.StoreDir, "streams outlive the container")
	require.Equal(t, 4222, options.Port)

	options.Host, options.Port = "127.0.0.1", server.RANDOM_PORT
	options.HTTPHost, options.HTTPPort = "127.0.0.1", server.RANDOM_PORT
	options.StoreDir, options.NoLog, options.NoSigs = t.TempDir(), true, true
	s, err := server.NewServer(options)
	require.NoError(t, err)
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(30*time.Second))
	return s
}

func mountTargets(s types.ServiceConfig) []string {
	var targets []string
	for _, v := range s.Volumes {
		targets = append(targets, v.Target)
	}
	return targets
}

func connectAs(t *testing.T, s *server.Server, user, password string, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), append(options, nats.UserInfo(user, password))...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func TestCompose_NATS(t *testing.T) {
	t.Parallel()
	s := composeNATS(t)

	t.Run("IsDurableInWeirsOwnEyes", func(t *testing.T) {
		t.Parallel()
		always, err := syncAlways(t.Context(), "http://"+s.MonitorAddr().String())
		require.NoError(t, err)
		require.True(t, always)
	})
	t.Run("RefusesStrangers", func(t *testing.T) {
		t.Parallel()
		_, err := nats.Connect(s.ClientURL())
		require.ErrorIs(t, err, nats.ErrAuthorization)
	})
}

// TestCompose_NATSProducer: the producer's rights are enough for package producer, and no more than docs/operations.md
// says.
func TestCompose_NATSProducer(t *testing.T) {
	t.Parallel()
	s := composeNATS(t)
	js, err := jetstream.New(connectAs(t, s, "weir", weirSecret))
	require.NoError(t, err)
	require.NoError(t, ingest.EnsureStreams(t.Context(), js, ingest.StreamConfig{}))
	violations := make(chan error, 16)
	nc := connectAs(t, s, "producer", otherSecret, nats.CustomInboxPrefix("_INBOX_default"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violations <- err }))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	requireProducerWorks(ctx, t, js, nc)
	for _, subject := range []string{
		task.Subject("other", "triage"),
		task.OutcomeSubject("other", "triage"),
		task.ResultSubject("default", "triage"),
		"$JS.API.STREAM.PURGE." + task.StreamTasks,
		"$JS.API.STREAM.DELETE." + task.StreamTasks,
		"$JS.API.STREAM.MSG.GET." + task.StreamTasks,
		"$JS.API.DIRECT.GET." + task.StreamResults,
		"$JS.API.CONSUMER.CREATE." + task.StreamTasks + ".spy.weir.tasks.default.*",
		"$JS.API.CONSUMER.CREATE." + task.StreamResults + ".spy.weir.results.other.*",
		"$JS.API.CONSUMER.CREATE." + task.StreamResults + ".spy",
	} {
		require.NoError(t, nc.Publish(subject, []byte("{}")))
		require.ErrorContains(t, <-violations, subject)
	}
	for _, subject := range []string{"_INBOX.>", "weir.tasks.*.*", "weir.results.other.*", "$SYS.>"} {
		_, err := nc.SubscribeSync(subject)
		require.NoError(t, err)
		require.ErrorContains(t, <-violations, subject)
	}
	requireNoForeignFilter(t, nc)
}

func requireProducerWorks(ctx context.Context, t *testing.T, js jetstream.JetStream, nc *nats.Conn) {
	t.Helper()
	p, err := producer.New(nc, producer.Config{Tenant: "default"})
	require.NoError(t, err)
	ack, err := p.Publish(ctx, task.Task{ID: "a", Feature: "triage", Input: "My card was declined."})
	require.NoError(t, err)
	many, err := p.PublishMany(ctx, producer.Tasks(
		task.Task{ID: "b", Feature: "triage", Input: "Where is my refund?"},
		task.Task{ID: "c", Feature: "triage", Input: "How do I change my PIN?"},
	), producer.Options{})
	require.NoError(t, err)
	require.Equal(t, 2, many.Published)
	require.NoError(t, p.ReportOutcome(ctx, "triage", task.Outcome{ID: "a", Success: true}))
	body, err := json.Marshal(task.Result{ID: "a", Tenant: "default", Feature: "triage", Status: task.Succeeded})
	require.NoError(t, err)
	_, err = js.Publish(ctx, task.ResultSubject("default", "triage"), body)
	require.NoError(t, err)
	result, err := p.Wait(ctx, ack.ID)
	require.NoError(t, err)
	require.Equal(t, task.Succeeded, result.Status)
}

// requireNoForeignFilter: a permitted subject does not carry a reader of somebody else's results.
func requireNoForeignFilter(t *testing.T, nc *nats.Conn) {
	t.Helper()
	for _, filter := range []string{`"filter_subject":"weir.results.other.*"`, `"filter_subjects":["weir.results.other.*"]`} {
		subject := "$JS.API.CONSUMER.CREATE." + task.StreamResults + ".spy.weir.results.default.*"
		body := `{"stream_name":"` + task.StreamResults + `","config":{"name":"spy","ack_policy":"none",` + filter + `}}`
		answer, err := nc.Request(subject, []byte(body), 5*time.Second)
		require.NoError(t, err)
		require.Contains(t, string(answer.Data), `"error"`, filter)
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	dockerfile := string(data)
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(dockerfile, -1)
	require.Len(t, stages, 2)

	require.Regexp(t, `^golang:`+goVersion(t)+`(\.\d+)?-\w+$`, stages[0][1], "the version of go.mod")
	require.Equal(t, "scratch", stages[1][1], "nothing but weir is in the image")
	_, last, _ := strings.Cut(dockerfile, "FROM scratch\n")
	require.Regexp(t, `(?m)^RUN CGO_ENABLED=0 go build -trimpath .* \./cmd/weir$`, dockerfile)
	require.Contains(t, last, "\nUSER "+composeUID+"\n")
	require.Contains(t, last, "\nENTRYPOINT [\"/weir\"]\n")
	require.Contains(t, last, "ca-certificates.crt")
	require.Regexp(t, `--chown=`+composeUID+` .*/spool /spool`, last, "a new volume takes its owner from here")
}

// goVersion is the go line of go.mod without a patch: 1.26.
func goVersion(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	match := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	require.NotNil(t, match)
	return regexp.QuoteMeta(string(match[1]))
}
