package processrt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/myriad-mind/myriad"
)

const (
	maxJob    = 8 << 20 // bytes of one job
	maxAnswer = 4 << 20 // bytes of one answer
)

// The headers that jobs come with.
const (
	headerDeadline = "X-Myriad-Deadline-Ms"
	headerKey      = "Idempotency-Key"
	headerTrace    = "Traceparent"
)

// job is one job on its way to a process.
type job struct {
	line  []byte        // the job as one line, with its end
	id    string        // the task's, as its string form; "" when it has none
	left  time.Duration // until its deadline
	key   string
	trace string
}

// readJob reads the job of a request. A refusal has a status.
func readJob(w http.ResponseWriter, r *http.Request, agent string) (j job, refusal answer) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJob))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return j, answer{status: http.StatusRequestEntityTooLarge, body: failure(agent, fmt.Sprintf("the body is over %d bytes", maxJob))}
		}
		return j, answer{status: http.StatusBadRequest, body: failure(agent, "the body was cut short")}
	}
	var line bytes.Buffer
	line.Grow(len(body) + 1)
	if err := json.Compact(&line, body); err != nil || line.Bytes()[0] != '{' {
		return j, answer{status: http.StatusBadRequest, body: failure(agent, "a job is a JSON object")}
	}
	line.WriteByte('\n')
	j.line = line.Bytes()
	j.id = taskID(j.line)
	j.left = deadline(r.Header.Get(headerDeadline))
	j.key, j.trace = r.Header.Get(headerKey), r.Header.Get(headerTrace)
	return j, answer{}
}

// deadline reads milliseconds; what is none is a very long time.
func deadline(header string) time.Duration {
	ms, err := strconv.ParseInt(header, 10, 64)
	if err != nil || ms <= 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// taskID is the task_id of a JSON object in its string form; "" when there is none, or it is null.
func taskID(object []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil {
		return ""
	}
	return idOf(fields["task_id"])
}

func idOf(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var id myriad.TaskID
	if id.UnmarshalJSON(raw) != nil {
		return string(raw) // another value: compared by its text
	}
	return id.Key
}

// errNoJSON says that an answer is no JSON value.
var errNoJSON = errors.New("the answer is no JSON")

// otherTask says that an answer is for another task than the one asked about.
type otherTask struct{ asked, answered string }

func (e otherTask) Error() string {
	return fmt.Sprintf("the answer is for the task %.60q, asked was %.60q", e.answered, e.asked)
}

// shape makes the answer of an agent from what a script wrote: an object that is one passes, any other value is data. task is the task_id
// of the job.
func shape(agent, task string, text []byte) (answer, error) {
	text = bytes.TrimSpace(text)
	if !json.Valid(text) || !utf8.Valid(text) {
		return answer{}, errNoJSON
	}
	if text[0] != '{' {
		return success(agent, text), nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return answer{}, errNoJSON
	}
	if id := idOf(fields["task_id"]); id != "" && id != task {
		return answer{}, otherTask{asked: task, answered: id}
	}
	status, hasStatus := fields["status"]
	_, hasData := fields["data"]
	if hasStatus && status[0] != '"' || !hasStatus && !hasData {
		return success(agent, text), nil
	}
	var more strings.Builder
	if _, named := fields["agent_name"]; !named {
		more.WriteString(`"agent_name":` + quote(agent) + `,`)
	}
	if !hasStatus {
		more.WriteString(`"status":"` + myriad.StatusSuccess + `",`)
	}
	if more.Len() > 0 {
		text = append(append([]byte{'{'}, more.String()...), text[1:]...) // it has fields, so the comma fits
	}
	return answer{status: http.StatusOK, body: text}, nil
}

// success is an answer with data, which is valid JSON.
func success(agent string, data []byte) answer {
	body := make([]byte, 0, len(data)+len(agent)+64)
	body = append(body, `{"agent_name":`+quote(agent)+`,"status":"`+myriad.StatusSuccess+`","data":`...)
	return answer{status: http.StatusOK, body: append(append(body, data...), '}')}
}

func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // a Go string always marshals
		panic(err)
	}
	return string(raw)
}

// failure is the body of an answer that is none.
func failure(agent, text string) []byte {
	body := map[string]any{"status": myriad.StatusError, "data": text}
	if agent != "" {
		body["agent_name"] = agent
	}
	return object(body)
}

// object is a map as JSON that is known to marshal.
func object(fields map[string]any) []byte {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return raw
}

// faulty is the agent's fault, said with a 502 as a gateway does.
func (i *instance) faulty(text string) answer {
	return answer{status: http.StatusBadGateway, body: failure(i.agent, text)}
}

// endingAnswer sends a job elsewhere: it is nobody's fault that the instance ends.
func (i *instance) endingAnswer() answer {
	return answer{status: http.StatusServiceUnavailable, retry: 1, body: failure(i.agent, "the instance is ending")}
}

// crowded sends a job elsewhere for a moment.
func (i *instance) crowded() answer {
	return answer{status: http.StatusTooManyRequests, retry: 1, body: failure(i.agent, "as many jobs wait here as may run at once")}
}

// late is the answer to a job whose deadline passed; whoever waited may be gone.
func (i *instance) late() answer {
	return answer{status: http.StatusGatewayTimeout, body: failure(i.agent, "no answer before the job's deadline")}
}
